"""Handling of SIGTERM and SIGINT, for commands that serve and for those that end by themselves."""

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
log = logging.getLogger(__name__)  # structlog is not loaded yet when SIGTERM must be handled
_GRACE_PERIOD = 1.4
"""Seconds between a signal and a forced exit. Open scrapes get up to one of them."""
_LOG_TIMEOUT = 0.1  # seconds; standard error itself may hang


class Terminated(KeyboardInterrupt):
    """SIGTERM interrupted a command."""


def raise_on_sigterm() -> None:
    """Let SIGTERM raise :class:`Terminated` in the main thread.

    SIGTERM has no default action in process 1 of a container.
    """
    signal.signal(signal.SIGTERM, _terminate)


def _terminate(_number: int, _frame: object) -> NoReturn:
    raise Terminated


@contextlib.contextmanager
def signals_blocked() -> Iterator[None]:
    """Start threads with SIGTERM and SIGINT blocked while the context is open.

    A thread without that block could receive a signal instead of the thread that waits for it.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@contextlib.contextmanager
def _handling_signals(
    on_signal: Callable[[int], None], *, forced_exit_code: Callable[[int], int]
) -> Iterator[None]:
    """Call ``on_signal`` in the running event loop with the first SIGTERM or SIGINT.

    If the process has not ended 1.4 seconds later, for example because a disk hangs, it exits with
    the ``forced_exit_code`` of the signal. A thread waits for the signal, because a blocked event
    loop also blocks Python's signal handlers.

    SIGINT stays ignored if it was ignored at start, as in the background jobs of a shell.
    """
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    numbers = {signal.SIGTERM} if ignored else {signal.SIGTERM, signal.SIGINT}
    loop, is_closed = asyncio.get_running_loop(), threading.Event()

    def wait() -> None:
        number = signal.sigwait(numbers)
        if is_closed.is_set():
            threading.Event().wait()  # forever: `pthread_kill` needs a thread that exists
        with contextlib.suppress(RuntimeError):  # the event loop has just been closed
            loop.call_soon_threadsafe(on_signal, number)
        time.sleep(_GRACE_PERIOD)
        logging_thread = threading.Thread(target=_log_forced_exit, daemon=True)
        logging_thread.start()
        logging_thread.join(_LOG_TIMEOUT)
        os._exit(forced_exit_code(number))

    thread = threading.Thread(target=wait, name="signals", daemon=True)

    def forward(number: int) -> None:
        assert thread.ident is not None  # noqa: S101 # it has started
        signal.pthread_kill(thread.ident, number)

    mask = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    thread.start()
    handlers = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        # A thread of a library may receive the signal nevertheless.
        loop.add_signal_handler(number, forward, number)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
        is_closed.set()
        forward(signal.SIGTERM)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _log_forced_exit() -> None:
    log.warning("forced exit: the process did not end within %s s of the signal", _GRACE_PERIOD)
    for handler in logging.getLogger().handlers:
        handler.flush()


def run_cancellable(main: Coroutine[None, None, T]) -> T:
    """Run ``main`` in a new event loop and return its result.

    SIGTERM and SIGINT cancel it; this then raises :class:`Terminated` or ``KeyboardInterrupt``.
    """
    return threads.run(_cancellable(main))


async def _cancellable(main: Coroutine[None, None, T]) -> T:
    task = asyncio.ensure_future(main)
    received: list[int] = []

    def cancel(number: int) -> None:
        received.append(number)
        task.cancel()

    with _handling_signals(cancel, forced_exit_code=lambda number: 128 + number):
        try:
            return await task
        except asyncio.CancelledError:
            if received:
                raise (Terminated if received == [signal.SIGTERM] else KeyboardInterrupt) from None
            raise


@contextlib.asynccontextmanager
async def stop_event() -> AsyncIterator[asyncio.Event]:
    """Yield an event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    forced_exit_code = 1
    with _handling_signals(lambda _: stop.set(), forced_exit_code=lambda _: forced_exit_code):
        yield stop
        forced_exit_code = 0  # the stop was clean; only the end of the interpreter may still hang
