"""The one place where an organization's state is replaced."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from exporter.clock import Clock
    from exporter.refresh.collector import Change, RefreshedCollector
    from exporter.refresh.state import OrganizationState


class Holder:
    """Holds the state of an organization.

    ``publish`` is awaited with each new state before it becomes ``state``. ``lock`` is taken for
    each change; organizations that share one do not compute at the same time and crowd out the
    event loop.
    """

    def __init__(
        self,
        state: OrganizationState,
        *,
        collectors: Sequence[RefreshedCollector],
        publish: Callable[[OrganizationState], Awaitable[None]],
        clock: Clock,
        lock: asyncio.Lock,
    ) -> None:
        self.state = state
        self.attempted = asyncio.Event()
        """Set when the first listing of the keys has ended, successfully or not."""
        self.recovered = asyncio.Event()
        """Set, and replaced by a new event, when the keys are listed after a listing that failed
        because of the credentials."""
        self.listed = asyncio.Event()
        """Set, and replaced by a new event, whenever the keys are listed."""
        self._collectors = collectors
        self._publish = publish
        self._clock = clock
        self._lock = lock
        self._credentials_failed = False
        self._set_flags()

    async def restore(self, state: OrganizationState) -> None:
        """Start from ``state``, which an earlier configuration left. Does not publish it."""
        self.state = await asyncio.to_thread(self._derived, state, now=self._clock.wall())
        self._set_flags()

    async def replace(self, change: Change) -> None:
        """Replace the state by the result of ``change``, off the event loop.

        Changes are applied one at a time.
        """
        async with self._lock:
            before = self.state.prioritized
            now = self._clock.wall()
            state = await asyncio.to_thread(lambda: self._derived(change(self.state), now=now))
            await self._publish(state)
            self.state = state
        if state.prioritized.up and state.prioritized is not before:
            listed, self.listed = self.listed, asyncio.Event()
            listed.set()
        self._set_flags()

    def _derived(self, state: OrganizationState, *, now: float) -> OrganizationState:
        for each in reversed(self._collectors):
            state = each.derive(state, now=now)
        return state

    def _set_flags(self) -> None:
        if self.state.attempted:
            self.attempted.set()
        if self.state.credentials_failed:
            self._credentials_failed = True
        elif self._credentials_failed and self.state.prioritized.up:
            self._credentials_failed = False
            recovered, self.recovered = self.recovered, asyncio.Event()
            recovered.set()
