"""The composition root: the one place that knows every room of the house.

::

    config ──> Client ──> Refresher ──> Holder ──> Exposition ──> web
                  │            │                       ▲
                  └────────────┴─────> Instruments ────┘
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING

import structlog

from exporter import logs
from exporter.confluent.client import Client
from exporter.confluent.trust import TrustStore
from exporter.exposition import Exposition, Instruments
from exporter.inventory import Directory
from exporter.refresh import (
    ApiKeysCollector,
    Collector,
    CollectorState,
    Holder,
    NamesCollector,
    OrganizationState,
    QuotasCollector,
    Refresher,
)
from exporter.refresh.folding import fold_anew
from exporter.web import create_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

    import httpx
    from starlette.types import ASGIApp

    from exporter.clock import Clock
    from exporter.config import Config, Organization, Policy
    from exporter.exposition.activity import Activity

log = structlog.get_logger(__name__)
_APART = 0.02
"""Seconds between the first refreshes of two organizations: the answers to hundreds at once would
keep scrapes waiting for as long as it takes to read all of them."""
_PATIENT_APART = 0.1
"""As that, for what goes behind the keys and takes many requests."""


@dataclass(frozen=True)
class _Prepared:
    """What an organization needs before it can start."""

    organization: Organization
    collectors: Sequence[Collector]
    client: Client


@dataclass
class _Member:
    """One organization at work."""

    organization: Organization
    client: Client
    holder: Holder
    refreshers: Sequence[Refresher]
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self, *, position: int) -> None:
        """Start the refresh loops, staggered by position."""
        if not self.tasks:
            name = f"refresh {self.organization.name}"
            self.tasks = [
                asyncio.create_task(
                    one.run(after=position * (_PATIENT_APART if one.patient else _APART)), name=name
                )
                for one in self.refreshers
            ]

    async def stop(self) -> None:
        tasks, self.tasks = self.tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self.client.aclose()


class Exporter:
    """The exporter of one configuration, which may be replaced while it runs.

    ``transport`` is called for each organization and returns how its requests travel, None for the
    network. ``process_metrics``: see :class:`~exporter.exposition.Instruments`.
    ``sample_clusters``: see :class:`~exporter.refresh.NamesCollector`. Raises
    :class:`~exporter.errors.StartUpError` if proxies or certificates of the environment are
    unusable.
    """

    def __init__(
        self,
        config: Config,
        *,
        clock: Clock,
        random: Random | None = None,
        transport: Callable[[Organization], httpx.AsyncBaseTransport | None] = lambda _: None,
        process_metrics: bool = True,
        sample_clusters: bool = False,
    ) -> None:
        self._clock = clock
        self._sample_clusters = sample_clusters
        self._random = random or Random()
        self._transport = transport
        self.instruments = Instruments(
            clock=clock, process=process_metrics, dropped_log_records=logs.dropped_records
        )
        self.exposition = Exposition(clock=clock, instruments=self.instruments)
        self._folding = asyncio.Lock()
        self._trusts = TrustStore(os.environ)
        self._members = {
            each.name: self._member(self._prepared(each)) for each in config.organizations
        }
        for state in self.states():
            self.exposition.begin(state)
        self.rejected_config: str | None = None
        """What is wrong with the latest configuration, if it was refused."""
        self.instruments.config_loaded(successful=True)

    def _prepared(self, organization: Organization) -> _Prepared:
        """Return what an organization needs. Raises :class:`~exporter.errors.StartUpError`."""
        collectors: list[Collector] = [ApiKeysCollector(organization, clock=self._clock)]
        if organization.names.enabled:
            collectors.append(
                NamesCollector(
                    organization, clock=self._clock, sample_clusters=self._sample_clusters
                )
            )
        if organization.quotas.enabled:
            collectors.append(QuotasCollector(organization, clock=self._clock))
        endpoints = [endpoint for each in collectors for endpoint in each.endpoints]
        observer = self.instruments.of(organization.name, endpoints=endpoints)
        return _Prepared(organization, collectors, self._client(organization, observer))

    def _member(self, prepared: _Prepared, known: OrganizationState | None = None) -> _Member:
        """Return an organization ready to start, which knows what is ``known``."""
        organization = prepared.organization
        state = known or OrganizationState(organization.name, {})
        names = [each.name for each in prepared.collectors]
        state = replace(
            state,
            collectors={each: state.collectors.get(each, CollectorState()) for each in names},
            stale_after={
                each.name: each.stale_after
                for each in prepared.collectors
                if each.stale_after is not None
            },
            per_key_metrics=organization.per_key_metrics,
            filtered=bool(organization.filters.owners or organization.filters.resources),
            thresholds=_thresholds(organization.policy),
            directory=_wanted(state.directory, organization),
            quotas=state.quotas if organization.quotas.enabled else (),
        )
        if state.inventory is not None:
            state = fold_anew(state, organization, now=self._clock.wall())
        holder = Holder(state, publish=self.exposition.publish, turn=self._folding)
        refreshers = [
            Refresher(each, holder, client=prepared.client, clock=self._clock, random=self._random)
            for each in prepared.collectors
        ]
        return _Member(organization, prepared.client, holder, refreshers)

    def _client(self, organization: Organization, observer: Activity) -> Client:
        transport = self._transport(organization)
        over_tls = transport is None and organization.url.startswith("https:")
        return Client(
            organization,
            clock=self._clock,
            observer=observer,
            random=self._random,
            transport=transport,
            trust=self._trusts.of(organization.tls) if over_tls else None,
        )

    def states(self) -> Sequence[OrganizationState]:
        """Return the state of every organization, in the order of the configuration."""
        return [member.holder.state for member in self._members.values()]

    def dead_loops(self) -> Sequence[str]:
        """Return the organizations whose refresh loop has ended although it never should."""
        return [
            name
            for name, member in self._members.items()
            if any(task.done() for task in member.tasks)
        ]

    def clients(self) -> Iterable[tuple[Organization, Client]]:
        """Return each organization with its client, for commands that ask the API themselves."""
        return [(member.organization, member.client) for member in self._members.values()]

    def web(self, *, telemetry_path: str = "/metrics") -> ASGIApp:
        """Return the web application that shows this exporter."""
        return create_app(self, self.exposition, clock=self._clock, telemetry_path=telemetry_path)

    async def refresh_once(self) -> None:
        """Refresh every organization once, all at the same time."""
        await asyncio.gather(
            *(one.refresh() for member in self._members.values() for one in member.refreshers)
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep every organization refreshed while the context is open."""
        try:
            for position, member in enumerate(self._members.values()):
                member.start(position=position)
            yield
        finally:
            await self.aclose()

    async def reload(self, config: Config) -> None:
        """Replace the configuration.

        Organizations whose settings did not change are not interrupted; CA certificates are read
        again for all of them. Of the others, those that still list the same keys keep their state
        until the next refresh. Raises :class:`~exporter.errors.StartUpError`; the previous
        configuration then stays in use.
        """
        self._trusts.renew()
        before = self._members
        kept = {
            each.name: before[each.name]
            for each in config.organizations
            if each.name in before and before[each.name].organization == each
        }
        prepared = [self._prepared(each) for each in config.organizations if each.name not in kept]
        # From here on nothing fails. The old ones stop before what they know is handed on.
        await asyncio.gather(*(one.stop() for name, one in before.items() if name not in kept))
        heirs = {
            each.organization.name: await asyncio.to_thread(
                self._member, each, _legacy(before, each.organization)
            )
            for each in prepared
        }
        members = kept | heirs
        self._members = {each.name: members[each.name] for each in config.organizations}
        for name in before.keys() - members.keys():
            self.instruments.forget(name)
        self.exposition.retain(members)
        for position, member in enumerate(heirs.values()):
            await self.exposition.publish(member.holder.state)
            member.start(position=position)
        self.rejected_config = None
        self.instruments.config_loaded(successful=True)

    def reject(self, problems: str) -> None:
        """Record that a new configuration was rejected; the previous one stays in use."""
        self.rejected_config = problems
        self.instruments.config_loaded(successful=False)

    async def aclose(self) -> None:
        """Stop refreshing and close the connections."""
        await asyncio.gather(*(member.stop() for member in self._members.values()))


def _thresholds(policy: Policy) -> dict[str, float]:
    """Return the durations of the policies that have one and are on."""
    durations = {"max_age": policy.max_age, "expires_within": policy.expires_within}
    return {name: seconds for name, seconds in durations.items() if seconds is not None}


def _wanted(directory: Directory, organization: Organization) -> Directory:
    """Return ``directory`` without the names that are not wanted any more."""
    if not organization.names.enabled:
        return Directory()
    if organization.names.users:
        return directory
    complete = {kind: at for kind, at in directory.complete.items() if kind != "user"}
    return replace(directory, users={}, complete=complete)


def _legacy(before: Mapping[str, _Member], organization: Organization) -> OrganizationState | None:
    """Return what was known of ``organization``, if it is what it would list now."""
    member = before.get(organization.name)
    if member is None:
        return None
    old = member.organization
    same = (old.url, old.credentials, old.filters) == (
        organization.url,
        organization.credentials,
        organization.filters,
    )
    return member.holder.state if same else None
