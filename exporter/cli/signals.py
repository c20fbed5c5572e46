"""What SIGTERM and SIGINT mean to each kind of command."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, NoReturn, TypeVar

from exporter.cli import threads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

T = TypeVar("T")
log = logging.getLogger(__name__)  # structlog is not loaded yet when SIGTERM must be heeded
_GRACE = 1.4
"""Seconds to stop in; open scrapes get one of them."""
_LAST_WORDS = 0.1  # seconds; standard error may be what hangs


class Terminated(KeyboardInterrupt):
    """SIGTERM cut a command short."""


def heed_sigterm() -> None:
    """Let SIGTERM raise :class:`Terminated`, wherever the program is.

    A process that is number 1 of its container has no default action for it.
    """
    signal.signal(signal.SIGTERM, _terminate)


def _terminate(_number: int, _frame: object) -> NoReturn:
    raise Terminated


@contextlib.contextmanager
def kept_from_new_threads() -> Iterator[None]:
    """Block SIGTERM and SIGINT in threads that start while the context is open.

    A thread that has them unblocked takes a signal away from the one that waits for it.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@contextlib.contextmanager
def _obeying(tell: Callable[[int], None], *, exit_code: Callable[[int], int]) -> Iterator[None]:
    """Let the running event loop call ``tell`` with the first SIGTERM or SIGINT.

    If the process then does not end in time, because a disk or the event loop hangs, it ends with
    ``exit_code`` of the signal. A thread waits for the signal because the event loop, and Python's
    own handlers, may be what hangs.

    SIGINT stays ignored where it was ignored at start: shells do that to background jobs, so that
    Ctrl-C is for the job in the foreground.
    """
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    numbers = {signal.SIGTERM} if ignored else {signal.SIGTERM, signal.SIGINT}
    loop, is_over = asyncio.get_running_loop(), threading.Event()

    def wait() -> None:
        number = signal.sigwait(numbers)
        if is_over.is_set():
            threading.Event().wait()  # for ever: `pthread_kill` needs a thread that exists
        with contextlib.suppress(RuntimeError):  # the event loop has just been closed
            loop.call_soon_threadsafe(tell, number)
        time.sleep(_GRACE)
        words = threading.Thread(target=_last_words, daemon=True)
        words.start()
        words.join(_LAST_WORDS)
        os._exit(exit_code(number))

    thread = threading.Thread(target=wait, name="signals", daemon=True)

    def forward(number: int) -> None:
        assert thread.ident is not None  # noqa: S101 # it has started
        signal.pthread_kill(thread.ident, number)

    mask = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    thread.start()
    handlers = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        # For a signal that a thread of some library takes all the same.
        loop.add_signal_handler(number, forward, number)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
        is_over.set()
        forward(signal.SIGTERM)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _last_words() -> None:
    log.warning("stopped without waiting for what hangs")
    for handler in logging.getLogger().handlers:
        handler.flush()


def run_to_its_answer(main: Coroutine[None, None, T]) -> T:
    """Run ``main``; SIGTERM and SIGINT cancel it.

    They then raise :class:`Terminated` and ``KeyboardInterrupt``.
    """
    return threads.run(_cancellable(main))


async def _cancellable(main: Coroutine[None, None, T]) -> T:
    task = asyncio.ensure_future(main)
    cut_short_by: list[int] = []

    def tell(number: int) -> None:
        cut_short_by.append(number)
        task.cancel()

    with _obeying(tell, exit_code=lambda number: 128 + number):
        try:
            return await task
        except asyncio.CancelledError:
            if cut_short_by:
                raise (
                    Terminated if cut_short_by == [signal.SIGTERM] else KeyboardInterrupt
                ) from None
            raise


@contextlib.asynccontextmanager
async def told_to_stop() -> AsyncIterator[asyncio.Event]:
    """Yield an event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    with _obeying(lambda _: stop.set(), exit_code=lambda _: 0):
        yield stop
