"""Reads and writes files off the event loop, within a deadline."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.clock import Clock

T = TypeVar("T")


class FileAccess(Generic[T]):
    """Calls ``access`` in a worker thread, since a file system may hang.

    There is one thread at a time, since each that hangs is lost: calls share its result.
    """

    def __init__(self, access: Callable[[], T], *, clock: Clock) -> None:
        self._access = access
        self._clock = clock
        self._running: asyncio.Future[T] | None = None

    async def run(self, *, deadline: float) -> T:
        """Return the result of ``access``, or raise its exception.

        Raises ``TimeoutError`` if there is none at the monotonic ``deadline``.
        """
        if self._running is None or self._running.done():
            self._running = asyncio.ensure_future(asyncio.to_thread(self._access))
            self._running.add_done_callback(_retrieve)
        running = self._running
        if not await is_done_by(deadline, running, clock=self._clock):
            raise TimeoutError
        return running.result()


async def is_done_by(deadline: float, future: asyncio.Future[Any], *, clock: Clock) -> bool:
    """Return whether ``future`` is done at the monotonic ``deadline``; it is not cancelled."""
    timer = asyncio.ensure_future(clock.sleep(max(0.0, deadline - clock.monotonic())))
    try:
        await asyncio.wait({future, timer}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        timer.cancel()
    return future.done()


def _retrieve(future: asyncio.Future[Any]) -> None:
    """Retrieve the exception, which asyncio would log if nobody waits for it any more."""
    if not future.cancelled():
        future.exception()
