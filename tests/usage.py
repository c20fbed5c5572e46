"""Organizations with simulated usage, and what the exporter shows about it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import httpx

from exporter.cli.report_fetch import fetch_reports
from exporter.simulator import (
    METRICS_QUERY_PATH,
    SimulatedKey,
    SimulatedOwner,
    SimulatedResource,
    SimulatedUsage,
    Workload,
)
from tests.harness import URL, Harness
from tests.virtual_time import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.cli.report_fetch import OrganizationReport


HOUR, DAY = 3600.0, 86_400.0
DELAY = 180
LAST_ACTIVE = "confluent_cloud_owner_last_active_timestamp_seconds"
WINDOW_START = "confluent_cloud_usage_window_start_timestamp_seconds"
VIOLATIONS = "confluent_cloud_api_key_policy_violations"
UNJUDGED = "confluent_cloud_usage_unjudged_resources"
SETTINGS = f"usage: {{enabled: true, url: '{URL}'}}"
UNUSED_FOR = ", policy: {unused_for: 1d}"


PAIRS = [(f"sa-{owner}", f"lkc-{cluster}") for owner in range(4) for cluster in "abc"]


def key(number: int, owner: str, cluster: str, *, age: float = 400) -> SimulatedKey:
    return SimulatedKey(
        id=f"KEY{number:05}",
        owner=SimulatedOwner(owner, "service-account"),
        resources=(SimulatedResource(cluster, "kafka", environment_id="env-1"),),
        created_at=EPOCH - age * DAY,
    )


def keys_of(pairs: Iterable[tuple[str, str]]) -> list[SimulatedKey]:
    return [key(number, *pair) for number, pair in enumerate(pairs)]


def workload(
    owner: int, cluster: str, *, ago: float, every: float = 60, until: float = math.inf
) -> Workload:
    """Requests from ``ago`` hours before the start until ``until`` hours after it."""
    return Workload(
        f"sa-{owner}",
        f"lkc-{cluster}",
        EPOCH - ago * HOUR,
        every=every,
        until=math.inf if until == math.inf else EPOCH + until * HOUR,
    )


def harness_with(usage: SimulatedUsage, keys: Iterable[SimulatedKey], more: str = "") -> Harness:
    harness = Harness(list(keys), settings=SETTINGS + more)
    harness.organization.usage = usage
    return harness


def shown(harness: Harness) -> dict[tuple[str, str], float]:
    return {
        (dict(labels)["owner_id"], dict(labels)["resource_id"]): value
        for (_, labels), value in harness.series(LAST_ACTIVE).items()
    }


def truth(usage: SimulatedUsage, *, now: float, since: float) -> dict[tuple[str, str], float]:
    """Return what can be known at ``now``; an hour that is not over ends with what is known."""
    found = {pair: usage.last_active(*pair, at=now, since=since) for pair in usage.pairs()}
    return {pair: min(end, math.floor(now - DELAY)) for pair, end in found.items() if end}


def unused(harness: Harness) -> dict[str, float]:
    """Return the findings of ``unused_for`` by owner."""
    return {
        dict(labels)["owner_id"]: value
        for (_, labels), value in harness.series(VIOLATIONS).items()
        if value and dict(labels)["policy"] == "unused_for"
    }


def queries(harness: Harness) -> int:
    return sum(each.path == METRICS_QUERY_PATH for each in harness.simulator.requests)


async def report_of(harness: Harness) -> OrganizationReport:
    (report,) = await fetch_reports(
        harness.exporter.hosts(),
        clock=harness.clock,
        on_progress=lambda *_, **__: None,
        metrics_hosts=harness.exporter.metrics_hosts(),
    )
    return report


class Answering(httpx.AsyncBaseTransport):
    """Answers each request to ``path`` with ``body``, and passes all other requests on."""

    def __init__(self, inner: httpx.AsyncBaseTransport, path: str, body: object) -> None:
        self._inner = inner
        self._path = path
        self._body = body

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path != self._path:
            return await self._inner.handle_async_request(request)
        return httpx.Response(200, json=self._body)


class Rejecting(httpx.AsyncBaseTransport):
    """Rejects queries that name a cluster, and passes all other requests on."""

    def __init__(self, inner: httpx.AsyncBaseTransport, cluster: str, status: int) -> None:
        self._inner = inner
        self._cluster = f'"{cluster}"'.encode()
        self._status = status
        self.rejected = 0
        self.is_active = True

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if not self.is_active or self._cluster not in await request.aread():
            return await self._inner.handle_async_request(request)
        self.rejected += 1
        return httpx.Response(self._status, json={"errors": [{"detail": "no such cluster"}]})
