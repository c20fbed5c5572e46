"""Several shards over one simulated Confluent Cloud, also while their number changes.

Every organization is listed by exactly one shard, and by two only while the shards restart one
after another with another total.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING

import httpx
from prometheus_client.parser import text_string_to_metric_families

from exporter import config
from exporter.app import Exporter
from exporter.config import Shard
from exporter.exposition import Format
from exporter.simulator import Account, Simulator, seeded_organization
from tests.harness import API_KEYS, SECRET, URL
from tests.virtual_time import EPOCH, FakeClock

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.config import Organization

NAMES = [f"org-{number}" for number in range(12)]
OWNERS = {
    2: dict(zip(NAMES, (0, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1), strict=True)),
    3: dict(zip(NAMES, (0, 1, 2, 2, 0, 2, 0, 2, 2, 0, 0, 1), strict=True)),
}
"""The shard of each organization by the number of shards, computed as in ``test_assignment``."""
MOVED = {"org-2", "org-3", "org-5", "org-7", "org-8"}
"""Those whose shard depends on the number of shards."""
INTERVAL = 60.0
RESTART = 70.0
"""Seconds between the restarts of two shards, more than an interval."""


@dataclass(frozen=True)
class Listing:
    """The first request of a listing."""

    time: float
    shard: Shard
    organization: str


class Recorder(httpx.AsyncBaseTransport):
    """Passes requests on, and appends the start of each listing to ``listings``."""

    def __init__(
        self, cluster: Cluster, shard: Shard, organization: str, inner: httpx.AsyncBaseTransport
    ) -> None:
        self._cluster, self._shard, self._organization = cluster, shard, organization
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == API_KEYS and "page_token" not in request.url.params:
            now = self._cluster.clock.monotonic()
            self._cluster.listings.append(Listing(now, self._shard, self._organization))
        return await self._inner.handle_async_request(request)


class Cluster:
    """Exporters that share one configuration, each with the secrets of its own organizations."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.organizations = {
            name: seeded_organization(seed=number, keys=30 + 7 * number, now=EPOCH)
            for number, name in enumerate(NAMES)
        }
        self._simulator = Simulator(
            [
                Account(f"KEY{number:02d}", SECRET, organization)
                for number, organization in enumerate(self.organizations.values())
            ],
            clock=self.clock,
        )
        self.listings: list[Listing] = []
        self._running: dict[int, tuple[Exporter, AsyncExitStack]] = {}
        self._folder = folder

    def configuration(self, shard: Shard, *, more: str = "") -> config.Config:
        """Return what ``shard`` loads; only its own organizations have their secrets."""
        environ = {
            f"SECRET_{number}": SECRET for number, name in enumerate(NAMES) if shard.has(name)
        }
        entries = "".join(
            f"  - name: {name}\n"
            f"    credentials: {{api_key: KEY{number:02d}, api_secret_env: SECRET_{number}}}\n"
            for number, name in enumerate(NAMES)
        )
        text = (
            f"defaults: {{url: {URL}, refresh_interval: 1m, names: {{enabled: false}},"
            f" quotas: {{enabled: false}}{more}}}\norganizations:\n{entries}"
        )
        return config.parse(text, file="test", folder=self._folder, environ=environ, shard=shard)

    async def start(self, shard: Shard) -> None:
        """Start the exporter of ``shard``, in place of the one with its number."""
        await self.stop(shard.ordinal)

        def transport(organization: Organization) -> httpx.AsyncBaseTransport:
            return Recorder(self, shard, organization.name, self._simulator.transport())

        exporter = Exporter(
            self.configuration(shard),
            clock=self.clock,
            random=Random(shard.ordinal),
            transport=transport,
            process_metrics=False,
        )
        stack = AsyncExitStack()
        await stack.enter_async_context(exporter.running())
        self._running[shard.ordinal] = exporter, stack

    async def stop(self, ordinal: int) -> None:
        """Stop the exporter with this number, if it runs."""
        if ordinal in self._running:
            await self._running.pop(ordinal)[1].aclose()

    async def reload(self, shard: Shard, *, more: str) -> None:
        """Reload the exporter of ``shard`` with ``more`` defaults."""
        await self._running[shard.ordinal][0].reload(self.configuration(shard, more=more))

    def exposed(self, name: str) -> dict[int, dict[str, float]]:
        """Return the sample of each organization by the number of the shard that exposes it."""
        return {
            ordinal: {
                sample.labels["organization"]: sample.value
                for line in exporter.exposition.scrape(Format.TEXT, gzip=False).decode().split("\n")
                if line.startswith(f"{name}{{")
                for family in text_string_to_metric_families(f"{line}\n")
                for sample in family.samples
            }
            for ordinal, (exporter, _) in self._running.items()
        }

    def exposed_by(self) -> dict[str, int]:
        """Return the number of exporters that expose each organization."""
        found = self.exposed("confluent_cloud_organization_api_keys").values()
        return {name: sum(name in counts for counts in found) for name in NAMES}

    @property
    def size(self) -> int:
        """The number of running exporters."""
        return len(self._running)

    async def aclose(self) -> None:
        """Stop every exporter."""
        for ordinal in [*self._running]:
            await self.stop(ordinal)

    def listed_by(self, since: float) -> dict[str, list[int]]:
        """Return the numbers of the shards that have listed each organization ``since`` then."""
        return {
            name: sorted(
                {
                    each.shard.ordinal
                    for each in self.listings
                    if each.time >= since and each.organization == name
                }
            )
            for name in NAMES
        }

    async def settle(self, total: int) -> None:
        """Delete some keys, and check that one shard of ``total`` lists and counts each."""
        for organization in self.organizations.values():
            organization.delete(next(iter(organization.keys)))
        since = self.clock.monotonic()
        await self.clock.sleep(5 * INTERVAL)
        owners = OWNERS[total]
        assert self.listed_by(since) == {name: [owners[name]] for name in NAMES}
        found = self.exposed("confluent_cloud_organization_api_keys")
        up = self.exposed("confluent_cloud_up")
        assert found.keys() == up.keys() == {*range(total)}
        for ordinal, counts in found.items():
            own = {name for name, owner in owners.items() if owner == ordinal}
            assert counts == {name: len(self.organizations[name].keys) for name in own}
            # A shard that tried other organizations too would fail, without their secrets.
            assert up[ordinal] == dict.fromkeys(own, 1.0)
        counted = sum(sum(counts.values()) for counts in found.values())
        assert counted == sum(len(each.keys) for each in self.organizations.values())

    def longest_pause(self) -> float:
        """Return the longest time between two listings of one organization, by any shard."""
        times = [
            sorted(each.time for each in self.listings if each.organization == n) for n in NAMES
        ]
        return max(later - before for each in times for before, later in pairwise(each))


async def resize(cluster: Cluster, total: int) -> float:
    """Start shards with another ``total`` one after another; return the time of the first.

    New shards start before the others restart, and superfluous ones stop after them.
    """
    began = cluster.clock.monotonic()
    for ordinal in reversed(range(total)):
        await cluster.start(Shard(ordinal, total))
        await cluster.clock.sleep(RESTART)
    for ordinal in range(total, cluster.size):
        await cluster.stop(ordinal)
    return began


async def test_each_organization_is_listed_by_one_shard_also_while_scaling(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    try:
        await resize(cluster, 2)
        await cluster.settle(2)
        for total in (3, 2):
            began = await resize(cluster, total)
            ended = cluster.clock.monotonic()
            both = {name for name, shards in cluster.listed_by(began).items() if len(shards) > 1}
            assert both == MOVED
            assert max(cluster.exposed_by().values()) == 1, "at the end of the resize"
            await cluster.settle(total)
            late = [
                each for each in cluster.listings if each.time > ended and each.shard.total != total
            ]
            assert not late
        assert cluster.longest_pause() <= INTERVAL + 1, "no organization had to wait"
    finally:
        await cluster.aclose()


async def test_a_reload_keeps_the_shard(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    try:
        await resize(cluster, 3)
        for ordinal in range(3):
            await cluster.reload(Shard(ordinal, 3), more=", page_size: 50")
        await cluster.settle(3)
    finally:
        await cluster.aclose()
