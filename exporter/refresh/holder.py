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
        self._publish = publish
        self._turn = turn or asyncio.Lock()
        if state.attempted:
            self.attempted.set()

    async def replace(self, change: Callable[[OrganizationState], OrganizationState]) -> None:
        """Replace the state by what ``change`` makes of it, off the event loop.

        One change happens after the other.
        """
        async with self._turn:
            state = await asyncio.to_thread(change, self.state)
            await self._publish(state)
            self.state = state
        if state.attempted:
            self.attempted.set()
