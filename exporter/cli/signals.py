"""What SIGTERM and SIGINT mean to each kind of command."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING, NoReturn, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

T = TypeVar("T")


class Terminated(KeyboardInterrupt):
    """SIGTERM cut a command short."""


def heed_sigterm() -> None:
    """Let SIGTERM raise :class:`Terminated`, wherever the program is.

    A process that is number 1 of its container has no default action for it.
    """
    signal.signal(signal.SIGTERM, _terminate)


def _terminate(_number: int, _frame: object) -> NoReturn:
    raise Terminated


def run_to_its_answer(main: Coroutine[None, None, T]) -> T:
    """Run ``main``; SIGTERM cancels it, as SIGINT does, and raises :class:`Terminated`."""

    async def cancellable() -> T:
        task, terminated = asyncio.ensure_future(main), False

        def terminate() -> None:
            nonlocal terminated
            terminated = True
            task.cancel()

        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminate)
        try:
            return await task
        except asyncio.CancelledError:
            if terminated:
                raise Terminated from None
            raise

    return asyncio.run(cancellable())


@contextlib.asynccontextmanager
async def told_to_stop() -> AsyncIterator[asyncio.Event]:
    """Yield an event that SIGTERM and SIGINT set."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
