"""Sockets and the HTTP server on them."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import re
import socket
from typing import TYPE_CHECKING

import uvicorn

from exporter.errors import StartUpError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from starlette.types import ASGIApp

_ADDRESS = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<four>[^:\[\]]*)):(?P<port>\d{1,5})")
_BACKLOG = 1024
_MAX_PORT = 65535
_CAUSES = {
    errno.EADDRINUSE: "the port is in use; stop what listens there, or choose another",
    errno.EACCES: "not allowed; ports below 1024 need a privilege, choose another",
    errno.EADDRNOTAVAIL: "this machine has no such address",
}


def parse_address(text: str) -> tuple[str, int]:
    """Return host and port of ``:10049``, ``127.0.0.1:10049`` or ``[::1]:10049``.

    The host is empty where every address of the machine is meant. Raises ``ValueError``.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match["port"]) > _MAX_PORT:
        raise ValueError(f"{text!r} is not an address like :10049, 127.0.0.1:10049 or [::1]:10049")
    return match["six"] or match["four"] or "", int(match["port"])


def bind(addresses: Sequence[str]) -> list[socket.socket]:
    """Return a listening socket for each of ``addresses``.

    Raises :class:`~exporter.errors.StartUpError`, with no socket left open.
    """
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(contextlib.closing(_listen(each))) for each in addresses]
        for each in sockets:
            # Head and body of an answer are sent apart; the body would wait for the other side's
            # delayed acknowledgement, 40 ms, on every connection that is kept.
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stack.pop_all()
    return sockets


def _listen(address: str) -> socket.socket:
    host, port = parse_address(address)
    dual = host in {"", "::"} and socket.has_dualstack_ipv6()
    try:
        if dual:
            return socket.create_server(
                ("::", port), family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=True
            )
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, *_, where = found[0]
        return socket.create_server(where[:2], family=family, backlog=_BACKLOG)
    except UnicodeError:
        raise StartUpError(f"cannot listen on {address}: that is no host name") from None
    except OSError as error:
        cause = _CAUSES.get(error.errno or 0) or error.strerror or str(error)
        raise StartUpError(f"cannot listen on {address}: {cause}") from None


def url_of(listener: socket.socket) -> str:
    """Return where a person on this machine finds what listens there."""
    host, port = listener.getsockname()[:2]
    if host in {"::", "0.0.0.0"}:  # noqa: S104 # compared, not bound
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


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
