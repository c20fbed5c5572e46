"""The one place where an organization's state is replaced."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from exporter.refresh.state import OrganizationState


class Holder:
    """Holds the state of an organization.

    ``publish`` is awaited with each new state before it becomes ``state``: whoever sees the new
    state here finds it published. ``turn``: taken for each change; one that organizations share
    keeps their folding from crowding the event loop out.
    """

    def __init__(
        self,
        state: OrganizationState,
        *,
        publish: Callable[[OrganizationState], Awaitable[None]],
        turn: asyncio.Lock | None = None,
    ) -> None:
        self.state = state
        self.attempted = asyncio.Event()
        """Set when the keys were listed for the first time, or could not be."""
        self.recovered = asyncio.Event()
        """Set, and replaced by a new one, when the keys are listed after a listing that failed
        because of the credentials."""
        self.listed = asyncio.Event()
        """Set, and replaced by a new one, whenever the keys are listed."""
        self._publish = publish
        self._turn = turn or asyncio.Lock()
        if state.attempted:
            self.attempted.set()
        self._credentials_failed = state.credentials_failed

    async def replace(self, change: Callable[[OrganizationState], OrganizationState]) -> None:
        """Replace the state by what ``change`` makes of it, off the event loop.

        One change happens after the other.
        """
        async with self._turn:
            before = self.state.collectors["api_keys"]
            state = await asyncio.to_thread(change, self.state)
            await self._publish(state)
            self.state = state
        if state.attempted:
            self.attempted.set()
        keys = state.collectors["api_keys"]
        if keys.up and keys is not before:
            listed, self.listed = self.listed, asyncio.Event()
            listed.set()
        self._look_for_recovery(state)

    def _look_for_recovery(self, state: OrganizationState) -> None:
        if state.credentials_failed:
            self._credentials_failed = True
        elif self._credentials_failed and state.collectors["api_keys"].up:
            self._credentials_failed = False
            recovered, self.recovered = self.recovered, asyncio.Event()
            recovered.set()
