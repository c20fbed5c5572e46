"""One organization at work: its host, its collectors and their refresh loops."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Generic, TypeVar

from exporter.refresh.collector import RefreshedCollector
from exporter.refresh.holder import Holder
from exporter.refresh.loop import Refresher
from exporter.refresh.state import OrganizationState, RefreshStatus

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
    from random import Random

    from exporter.clock import Clock
    from exporter.config import Organization
    from exporter.confluent.host import Host

C = TypeVar("C", bound=RefreshedCollector)
_STAGGER = 0.02
"""Seconds between the first refreshes of two organizations. If hundreds of responses arrived at
once, scrapes would have to wait while all of them are read."""
_LOW_PRIORITY_STAGGER = 0.1
"""The same for low-priority collectors, which send many requests."""


class OrganizationRefresh(Generic[C]):
    """Keeps the state of one organization up to date.

    ``collectors``: at least one; the first lists the keys and has priority. ``hosts``: by the name
    that collectors use, ``api`` at least. ``publish`` and ``lock``: see
    :class:`~exporter.refresh.holder.Holder`.
    """

    def __init__(
        self,
        organization: Organization,
        collectors: Sequence[C],
        hosts: Mapping[str, Host],
        *,
        clock: Clock,
        random: Random,
        publish: Callable[[OrganizationState, Sequence[C]], Awaitable[None]],
        lock: asyncio.Lock,
    ) -> None:
        self.organization = organization
        self.collectors = collectors
        self.hosts = hosts
        initial = OrganizationState(
            organization.name,
            {each.name: RefreshStatus(stale_after=each.stale_after) for each in collectors},
        )
        self._holder = Holder(
            initial,
            collectors=collectors,
            publish=lambda state: publish(state, collectors),
            clock=clock,
            lock=lock,
        )
        self._refreshers = [
            Refresher(
                each,
                self._holder,
                host=hosts[each.host_name],
                refresh_timeout=organization.refresh_timeout,
                clock=clock,
                random=random,
            )
            for each in collectors
        ]
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def state(self) -> OrganizationState:
        """The current state."""
        return self._holder.state

    @property
    def host(self) -> Host:
        """The host of the API."""
        return self.hosts["api"]

    @property
    def has_ended(self) -> bool:
        """Whether a refresh loop has ended, although none should."""
        return any(task.done() for task in self._tasks)

    async def resume(self, previous: OrganizationRefresh[C]) -> None:
        """Continue where ``previous`` stopped: its tokens, and its state if both list the same.

        After a change of ``usage.url``, nothing of the Metrics API's host applies to the new one.
        """
        before, after = previous.organization, self.organization
        moved = {"metrics"} if before.usage.url != after.usage.url else set()
        if _host(before) == _host(after):
            for name in (self.hosts.keys() & previous.hosts.keys()) - moved:
                self.hosts[name].resume(previous.hosts[name])
        if _lists(before) == _lists(after):
            kept = {each.name for each in self.collectors if each.host_name not in moved}
            await self._holder.restore(_restored(self.state, previous.state, kept))

    def start(self, *, position: int) -> None:
        """Start the refresh loops, staggered by position."""
        name = f"refresh {self.organization.name}"
        self._tasks = [
            asyncio.create_task(
                one.run(
                    after=position
                    * (_LOW_PRIORITY_STAGGER if one.collector.low_priority else _STAGGER)
                ),
                name=name,
            )
            for one in self._refreshers
        ]

    async def refresh_once(self) -> None:
        """Refresh every collector once."""
        await asyncio.gather(*(one.refresh() for one in self._refreshers))

    async def stop(self) -> None:
        """Stop the refresh loops and close the connections."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for host in self.hosts.values():
            await host.aclose()


def _host(organization: Organization) -> tuple[object, ...]:
    """Return the settings that decide which rate limit and which tokens are used."""
    return organization.url, organization.credentials


def _lists(organization: Organization) -> tuple[object, ...]:
    """Return the settings that decide which keys are listed."""
    return *_host(organization), organization.filters


def _restored(
    initial: OrganizationState, previous: OrganizationState, kept: Collection[str]
) -> OrganizationState:
    """Return ``previous`` for the collectors ``kept`` of ``initial``, with their settings."""
    names = previous.refreshes.keys() & kept
    return OrganizationState(
        initial.name,
        {
            name: replace(previous.refreshes[name], stale_after=state.stale_after)
            if name in names
            else state
            for name, state in initial.refreshes.items()
        },
        {name: value for name, value in previous.slices.items() if name in names},
        previous.rate_limits,
        previous.token,
        previous.api_key_id,
    )
