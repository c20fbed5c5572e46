"""An event loop with virtual time: when nothing is ready, time jumps to the next timer.

Hours of schedules, timeouts and backoff pass in milliseconds, in their real order and without
sleeping. Only for tests within one process.
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator


class _JumpingSelector(selectors.DefaultSelector):
    """Adds the timeout to ``now`` instead of waiting for it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:  # no timer is pending: wait for another thread
            return list(super().select(None))
        ready = list(super().select(0))
        if not ready and timeout > 0:
            self.now += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Runs executor functions inline, so that no timer overtakes them."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now

    def run_in_executor(  # type: ignore[override] # typeshed uses its own TypeVarTuple
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        del executor
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 # the caller handles every exception
            future.set_exception(error)
        return future


T = TypeVar("T")

EPOCH = 1_790_000_000.0
"""The wall clock of a :class:`FakeClock` at its start: 2026-09-21T14:13:20Z."""


class FakeClock:
    """Follows the loop's time; ``jump`` moves the wall clock independently."""

    def __init__(self, wall: float = EPOCH) -> None:
        self._wall = wall
        self._loop: asyncio.AbstractEventLoop

    def jump(self, seconds: float) -> None:
        self._wall += seconds

    def wall(self) -> float:
        return self._wall + self.monotonic()

    def monotonic(self) -> float:
        # The exporter also reads its clock in threads, which have no loop.
        with contextlib.suppress(RuntimeError):
            self._loop = asyncio.get_running_loop()
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def run(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


@contextmanager
def unmeasured() -> Iterator[None]:
    """Measure no coverage while the context is open.

    For days of virtual time, which cover what shorter tests cover and take twice the CPU time with
    it. Coverage is measured by a trace function, or since Python 3.12 at a low cost without one.
    """
    trace = sys.gettrace()
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(trace)
