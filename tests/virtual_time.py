"""An event loop whose time jumps: when nothing is ready, the next timer is due at once.

Hours of schedules, time-outs and back-off pass in milliseconds, in the order in which they would in
life, and without a sleep. Only for tests that stay in process.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


class _JumpingSelector(selectors.DefaultSelector):
    """Instead of waiting for the timeout, adds it to ``now``."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:  # no timer is pending: only another thread can go on
            return list(super().select(None))
        ready = list(super().select(0))
        if not ready and timeout > 0:
            self.now += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Runs what belongs to a thread in line, so that no timer overtakes it."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now

    def run_in_executor(  # type: ignore[override] # typeshed's is a TypeVarTuple of its own
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        del executor
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 # whatever the function raises belongs to its caller
            future.set_exception(error)
        return future


T = TypeVar("T")

EPOCH = 1_790_000_000.0
"""The wall clock of a :class:`FakeClock` at its start: 2026-09-21T14:13:20Z."""


class FakeClock:
    """The loop's time; the wall clock can be moved apart from it with ``jump``."""

    def __init__(self, wall: float = EPOCH) -> None:
        self._wall = wall

    def jump(self, seconds: float) -> None:
        self._wall += seconds

    def wall(self) -> float:
        return self._wall + self.monotonic()

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def run(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
