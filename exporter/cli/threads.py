"""Threads that nothing waits for when the process ends."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

P = ParamSpec("P")
T = TypeVar("T")
_MOST_THREADS = 256
"""A resolver that hangs holds one for each lookup; many organizations share the rest."""


class DaemonThreads(ThreadPoolExecutor):
    """Runs calls in daemon threads, which end with the process whatever they do.

    The standard executor is joined by asyncio and by the interpreter, and a name server that does
    not answer takes up to half a minute. It is the base class because asyncio asks for that.
    ``submit`` is for one thread, the event loop's.
    """

    def __init__(self) -> None:
        super().__init__(max_workers=1)  # never started: `submit` is replaced
        self._calls: SimpleQueue[tuple[Future[object], Callable[[], object]]] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._started = 0

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call ``fn`` in a thread; return its future."""
        future: Future[T] = Future()
        self._calls.put((future, partial(fn, *args, **kwargs)))  # type: ignore[arg-type] # Future is invariant
        if not self._idle.acquire(blocking=False) and self._started < _MOST_THREADS:
            self._started += 1
            name = f"worker {self._started}"
            threading.Thread(target=self._work, name=name, daemon=True).start()
        return future

    def _work(self) -> None:
        while True:
            try:
                future, call = self._calls.get_nowait()
            except Empty:
                self._idle.release()
                future, call = self._calls.get()
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except BaseException as error:  # noqa: BLE001 # it belongs to the caller
                    future.set_exception(error)
            del future, call  # not kept alive until the next call

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 # the executor's signature
        """Leave the threads alone."""


def run(main: Coroutine[None, None, T]) -> T:
    """Run ``main`` in a new event loop, as ``asyncio.run`` does, with :class:`DaemonThreads`."""
    with asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(DaemonThreads())
        return runner.run(main)
