"""Makes the low-priority requests of a host yield to those of a prioritized refresh."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from exporter.confluent.file_access import is_done_by
from exporter.confluent.pacing import out_of_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.clock import Clock
    from exporter.confluent.request import Budget, Request


class Priority:
    """Whether a prioritized refresh is running on a host. One at a time."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._free = asyncio.Event()
        self._free.set()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make :meth:`wait` wait while the context is open."""
        self._free.clear()
        try:
            yield
        finally:
            self._free.set()

    async def wait(self, request: Request, budget: Budget) -> None:
        """Wait until no prioritized refresh is running.

        Raises :class:`~exporter.errors.RequestTimeout` at the deadline of ``budget``.
        """
        if self._free.is_set():
            return
        waiting = asyncio.ensure_future(self._free.wait())
        try:
            if not await is_done_by(budget.deadline, waiting, clock=self._clock):
                raise out_of_time(request, budget)
        finally:
            waiting.cancel()
