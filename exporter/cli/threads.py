"""Daemon threads, which do not delay the end of the process."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

P = ParamSpec("P")
T = TypeVar("T")
_MAX_THREADS = 256
"""Each lookup in a hanging resolver occupies one; the other organizations share the rest."""


class DaemonThreads(ThreadPoolExecutor):
    """An executor whose daemon threads end with the process, even if they hang.

    asyncio and the interpreter join the threads of the standard executor, and a lookup may hang for
    half a minute. asyncio requires it as the base class. Only one thread may call ``submit``.
    """

    def __init__(self) -> None:
        super().__init__(max_workers=1)  # never started: `submit` is replaced
        self._calls: SimpleQueue[tuple[Future[object], Callable[[], object]]] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        """Counts the threads without a call. It is exact until the last thread has started."""
        self._started = 0

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call ``fn`` in a thread; return its future.

        Raises :class:`RuntimeError` if the system allows no more threads. ``fn`` is not called.
        """
        future: Future[T] = Future()
        if not self._idle.acquire(blocking=False) and self._started < _MAX_THREADS:
            name = f"worker {self._started + 1}"
            threading.Thread(target=self._work, name=name, daemon=True).start()
            self._started += 1
        self._calls.put((future, partial(fn, *args, **kwargs)))  # type: ignore[arg-type] # Future is invariant
        return future

    def _work(self) -> None:
        while True:
            future, call = self._calls.get()
            report = _run(future, call)
            # Before the caller sees the result: its next call then needs no other thread.
            self._idle.release()
            report()
            del future, call, report  # free them before the next call

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 # the executor's signature
        """Do nothing: the threads end with the process."""


def _run(future: Future[object], call: Callable[[], object]) -> Callable[[], None]:
    """Run ``call``, unless ``future`` was cancelled; return what sets its result."""
    if not future.set_running_or_notify_cancel():
        return lambda: None
    try:
        return partial(future.set_result, call())
    except BaseException as error:  # noqa: BLE001 # raised again in the caller
        return partial(future.set_exception, error)


def run(main: Coroutine[None, None, T]) -> T:
    """Run ``main`` in a new event loop, as ``asyncio.run`` does, with :class:`DaemonThreads`."""
    with asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(DaemonThreads())
        return runner.run(main)
