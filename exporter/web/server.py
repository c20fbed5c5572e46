"""The HTTP server on listening sockets."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from starlette.types import ASGIApp


class _Server(uvicorn.Server):
    """Leaves the signals to the program, which has more to stop than this."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def serve(
    app: ASGIApp, sockets: Sequence[socket.socket], *, ended: Callable[[], None] = lambda: None
) -> AsyncIterator[None]:
    """Serve ``app`` on ``sockets`` while the context is open; closes them at its end.

    ``ended`` is called if the server ends by itself, which it should not; the context then raises
    what ended it.
    """
    server = _Server(
        uvicorn.Config(
            app,
            http="h11",
            ws="none",
            loop="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
    )
    task = asyncio.create_task(server.serve(sockets=list(sockets)))
    task.add_done_callback(lambda _: ended())
    try:
        yield
    finally:
        server.should_exit = True
        await task
