"""The composition root: the only module that knows every package.

::

    config ──> Host ────> collectors ──> OrganizationRefresh ──> Exposition ──> web
                  │                                                  ▲
                  └───────────────────> Instruments ─────────────────┘
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from random import Random
from typing import TYPE_CHECKING

from exporter import logs
from exporter.collectors import COLLECTORS
from exporter.collectors.api_keys import latest_listing
from exporter.confluent.hosts import HostFactory, token_endpoints
from exporter.confluent.trust import TrustStore
from exporter.errors import StartUpError
from exporter.exposition import Exposition, Instruments
from exporter.refresh import OrganizationRefresh
from exporter.web import Pages, create_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

    import httpx
    from starlette.types import ASGIApp

    from exporter.clock import Clock
    from exporter.collectors import Collector
    from exporter.config import Config, Organization
    from exporter.confluent.host import Host
    from exporter.confluent.trust import Trust
    from exporter.refresh import OrganizationState
    from exporter.report import LatestListing
    from exporter.summary import Summary


class Exporter:
    """The exporter of one configuration, which may be replaced while it runs.

    ``transport`` is called for each organization and returns the transport of its requests, None
    for the network. ``process_metrics``, ``web_config_file`` and ``keys_url``: see
    :class:`~exporter.exposition.Instruments`. ``collectors``: the collectors of every organization,
    as far as its configuration enables them.
    Raises :class:`~exporter.errors.StartUpError` if proxies or certificates of the environment are
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
        web_config_file: bool = False,
        keys_url: str | None = None,
        collectors: Sequence[type[Collector]] = COLLECTORS,
    ) -> None:
        self._clock = clock
        self._collectors = collectors
        self._random = random or Random()
        self._transport = transport
        self.instruments = Instruments(
            clock=clock,
            process=process_metrics,
            dropped_log_records=logs.dropped_records,
            web_config_file=web_config_file,
            keys_url=keys_url,
            shard=(config.shard.ordinal, config.shard.total),
        )
        self.exposition = Exposition(
            clock=clock,
            instruments=self.instruments,
            metrics=[metric for each in collectors for metric in each.metrics],
        )
        self._folding = asyncio.Lock()
        self._trusts = TrustStore(os.environ)
        self._organizations = {each.name: self._create(each) for each in config.organizations}
        for one in self._organizations.values():
            self.exposition.begin(one.state, one.collectors)
        self.exposition.prepare()
        self.shard = config.describe_shard()
        """The shard and its number of organizations in words; empty without sharding."""
        self.rejected_config: str | None = None
        """The problems of the latest configuration, if it was rejected."""
        self.instruments.config_loaded(successful=True)

    def _create(self, organization: Organization) -> OrganizationRefresh[Collector]:
        """Return an organization ready to start. Raises :class:`~exporter.errors.StartUpError`."""
        created = [each.create(organization, clock=self._clock) for each in self._collectors]
        collectors = [each for each in created if each is not None]
        endpoints = [
            *token_endpoints(organization.credentials),
            *(endpoint for each in collectors for endpoint in each.endpoints),
        ]
        observer = self.instruments.of(organization.name, endpoints=endpoints)
        hosts = HostFactory(
            organization,
            clock=self._clock,
            observer=observer,
            random=self._random,
            trusts=self._trusts,
            transport=self._transport(organization),
        ).create()
        return OrganizationRefresh(
            organization,
            collectors,
            hosts,
            clock=self._clock,
            random=self._random,
            publish=self.exposition.publish,
            lock=self._folding,
        )

    def states(self) -> Sequence[OrganizationState]:
        """Return the state of every organization, in the order of the configuration."""
        return [one.state for one in self._organizations.values()]

    def summaries(self, state: OrganizationState) -> Sequence[Summary]:
        """Return the summaries of ``state``, one of :meth:`states`, by all of its collectors."""
        return [each.summarize(state) for each in self._organizations[state.name].collectors]

    def overview(self) -> Callable[[], Sequence[tuple[OrganizationState, Sequence[Summary]]]]:
        """Return a function that summarizes the current states.

        With many organizations it takes a while, so it may be called in a thread.
        """
        current = [(one.state, one.collectors) for one in self._organizations.values()]
        return lambda: [
            (state, [each.summarize(state) for each in collectors]) for state, collectors in current
        ]

    def latest_listings(self) -> Sequence[LatestListing]:
        """Return the keys of every organization, in the order of the configuration."""
        return [
            latest_listing(one.state, one.organization, clock=self._clock)
            for one in self._organizations.values()
        ]

    def dead_loops(self) -> Sequence[str]:
        """Return the organizations whose refresh loop has ended although it never should."""
        return [name for name, one in self._organizations.items() if one.has_ended]

    def hosts(self) -> Iterable[tuple[Organization, Host]]:
        """Return each organization with its host, for commands that send their own requests."""
        return [(one.organization, one.host) for one in self._organizations.values()]

    def metrics_hosts(self) -> Mapping[str, Host]:
        """Return the hosts of the Metrics API by organization, where usage is enabled."""
        return {
            name: one.hosts["metrics"]
            for name, one in self._organizations.items()
            if "metrics" in one.hosts
        }

    def web(self, pages: Pages | None = None) -> ASGIApp:
        """Return the web application that shows this exporter, by default the usual pages."""
        return create_app(self, self.exposition, pages or Pages(), clock=self._clock)

    async def refresh_once(self) -> None:
        """Refresh every organization once, all at the same time."""
        await asyncio.gather(*(one.refresh_once() for one in self._organizations.values()))

    async def publish(self, state: OrganizationState) -> None:
        """Expose ``state`` in place of the current state of its organization."""
        await self.exposition.publish(state, self._organizations[state.name].collectors)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep every organization refreshed while the context is open."""
        try:
            self._start()
            yield
        finally:
            await self.aclose()

    def _start(self) -> None:
        """Start all organizations, without a variable in :meth:`running` that keeps the last."""
        for position, one in enumerate(self._organizations.values()):
            one.start(position=position)

    async def reload(self, config: Config) -> None:
        """Replace the configuration with another one for the same shard.

        Organizations whose settings did not change are not interrupted. Of the others, those that
        still list the same keys keep their state until the next refresh. CA certificates are those
        of the latest :meth:`read_certificates`. Raises :class:`~exporter.errors.StartUpError`; the
        previous configuration then stays in use.
        """
        before = self._organizations
        after = await self._reloaded(config)
        # The old refreshes stop before their state is handed on.
        started = [one for name, one in after.items() if one is not before.get(name)]
        await asyncio.gather(
            *(one.stop() for name, one in before.items() if one is not after.get(name))
        )
        for one in started:
            if one.organization.name in before:
                with logs.bugs_logged():  # without its previous state, it starts all the same
                    await one.resume(before[one.organization.name])
        self._organizations = after
        for name in before.keys() - after.keys():
            self.instruments.forget(name)
        self.exposition.retain(after)
        for position, one in enumerate(started):
            with logs.bugs_logged():
                await self.publish(one.state)
            one.start(position=position)
        self.shard = config.describe_shard()
        self.rejected_config = None
        self.instruments.config_loaded(successful=True)

    def read_certificates(self, config: Config) -> Sequence[Trust]:
        """Read the CA certificates in use and those of ``config`` again. Blocks.

        A reload uses the result while the caller holds it. Raises
        :class:`~exporter.errors.StartUpError`.
        """
        self._trusts.renew()
        over_tls = (each for each in config.organizations if each.url.startswith("https:"))
        return [self._trusts.of(each.tls) for each in over_tls]

    async def _reloaded(self, config: Config) -> dict[str, OrganizationRefresh[Collector]]:
        """Return the organizations of ``config``: those whose settings did not change, as they are.

        Raises :class:`~exporter.errors.StartUpError`; then nothing has changed.
        """
        before = self._organizations
        after: dict[str, OrganizationRefresh[Collector]] = {}
        try:
            for each in config.organizations:
                if each.name in before and before[each.name].organization == each:
                    after[each.name] = before[each.name]
                else:
                    after[each.name] = self._create(each)
                await asyncio.sleep(0)  # creating hundreds would delay scrapes
        except StartUpError:
            for each in config.organizations:
                if each.name not in before:
                    self.instruments.forget(each.name)
            raise
        return after

    def reject(self, problems: str) -> None:
        """Record that a new configuration was rejected; the previous one stays in use."""
        self.rejected_config = problems
        self.instruments.config_loaded(successful=False)

    async def aclose(self) -> None:
        """Stop refreshing and close the connections."""
        await asyncio.gather(*(one.stop() for one in self._organizations.values()))
