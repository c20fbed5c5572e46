"""The composition root: the one place that knows every room of the house.

Per organization ``Client → Refresher → Exposition``, and the web application on top::

    config ──> Client ──> Refresher ──> Exposition ──> web
                  │            │             ▲
                  └────────────┴─> Instruments
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING

import httpx
import structlog

from exporter.confluent.client import API_KEYS, Client
from exporter.exposition import Exposition, Instruments
from exporter.refresh import API_KEYS_COLLECTOR, Refresher
from exporter.web import create_app

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from starlette.applications import Starlette

    from exporter.clock import Clock
    from exporter.config import Config, Organization
    from exporter.refresh import OrganizationState

log = structlog.get_logger(__name__)


@dataclass
class _Member:
    """One organization at work."""

    organization: Organization
    client: Client
    refresher: Refresher
    task: asyncio.Task[None] | None = None

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait([self.task])
        await self.client.aclose()


class Exporter:
    """The exporter of one configuration, which may be replaced while it runs.

    ``transport`` is called for each organization and returns how its requests travel, None for the
    network. ``process_metrics``: see :class:`~exporter.exposition.Instruments`.
    """

    def __init__(
        self,
        config: Config,
        *,
        clock: Clock,
        random: Random | None = None,
        transport: Callable[[Organization], httpx.AsyncBaseTransport | None] = lambda _: None,
        process_metrics: bool = True,
    ) -> None:
        self._clock = clock
        self._random = random or Random()
        self._transport = transport
        self.instruments = Instruments(clock=clock, process=process_metrics)
        self.exposition = Exposition(clock=clock, instruments=self.instruments)
        self._members = {each.name: self._member(each) for each in config.organizations}
        self.rejected_config: str | None = None
        """What is wrong with the latest configuration, if it was refused."""
        self.instruments.config_loaded(successful=True)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """One for all organizations, since it is large."""
        return httpx.create_ssl_context()

    def _member(self, organization: Organization) -> _Member:
        observer = self.instruments.of(
            organization.name, collectors=[API_KEYS_COLLECTOR], endpoints=[API_KEYS.endpoint]
        )
        transport = self._transport(organization)
        client = Client(
            organization,
            clock=self._clock,
            observer=observer,
            random=self._random,
            transport=transport,
            tls=self._tls if transport is None else True,
        )
        refresher = Refresher(
            organization,
            client=client,
            clock=self._clock,
            random=self._random,
            observer=observer,
            publish=self.exposition.publish,
        )
        return _Member(organization, client, refresher)

    def states(self) -> Sequence[OrganizationState]:
        """Return the state of every organization, in the order of the configuration."""
        return [member.refresher.state for member in self._members.values()]

    def dead_loops(self) -> Sequence[str]:
        """Return the organizations whose refresh loop has ended although it never should."""
        return [name for name, one in self._members.items() if one.task and one.task.done()]

    def clients(self) -> Iterable[tuple[Organization, Client]]:
        """Return each organization with its client, for commands that ask the API themselves."""
        return [(member.organization, member.client) for member in self._members.values()]

    def web(self, *, telemetry_path: str = "/metrics") -> Starlette:
        """Return the web application that shows this exporter."""
        return create_app(self, self.exposition, clock=self._clock, telemetry_path=telemetry_path)

    async def refresh_once(self) -> None:
        """Refresh every organization once, all at the same time."""
        await asyncio.gather(*(member.refresher.refresh() for member in self._members.values()))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep every organization refreshed while the context is open."""
        try:
            for member in self._members.values():
                self._start(member)
            yield
        finally:
            await self.aclose()

    def _start(self, member: _Member) -> None:
        member.task = asyncio.create_task(
            member.refresher.run(), name=f"refresh {member.organization.name}"
        )

    async def reload(self, config: Config) -> None:
        """Replace the configuration; organizations whose settings stay the same go on untouched."""
        self.rejected_config = None
        before, after = self._members, dict[str, _Member]()
        for organization in config.organizations:
            kept = before.get(organization.name)
            unchanged = kept is not None and kept.organization == organization
            after[organization.name] = (
                kept if kept is not None and unchanged else self._member(organization)
            )
        self._members = after
        gone = [one for name, one in before.items() if after.get(name) is not one]
        await asyncio.gather(*(member.stop() for member in gone))
        for name in before.keys() - after.keys():
            self.instruments.forget(name)
        await self.exposition.retain(
            [name for name, one in after.items() if before.get(name) is one]
        )
        for member in after.values():
            if member.task is None:
                self._start(member)
        self.instruments.config_loaded(successful=True)

    def reject(self, problems: str) -> None:
        """Take in that a new configuration cannot be used; the one before goes on."""
        self.rejected_config = problems
        self.instruments.config_loaded(successful=False)

    async def aclose(self) -> None:
        """Stop refreshing and close the connections."""
        await asyncio.gather(*(member.stop() for member in self._members.values()))
