"""What the Metrics API tells about owners becomes metrics, and nothing that it does not tell."""

from __future__ import annotations

import json
import math
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
import pytest

from exporter.cli.report_fetch import fetch_reports
from exporter.collectors.usage_file import UsageFile
from exporter.collectors.usage_state import USAGE
from exporter.inventory.usage import Period, Usage
from exporter.simulator import (
    METRICS_DESCRIPTORS_PATH,
    METRICS_QUERY_PATH,
    STS_PATH,
    PrincipalLabel,
    SimulatedKey,
    SimulatedOwner,
    SimulatedResource,
    SimulatedUsage,
    Workload,
    parse_fault,
)
from tests.harness import URL, Harness, configuration
from tests.pools import PoolHarness
from tests.virtual_time import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

HOUR, DAY = 3600.0, 86_400.0
DELAY = 180
LAST_ACTIVE = "confluent_cloud_owner_last_active_timestamp_seconds"
WINDOW_START = "confluent_cloud_usage_window_start_timestamp_seconds"
VIOLATIONS = "confluent_cloud_api_key_policy_violations"
UNJUDGED = "confluent_cloud_usage_unjudged_resources"
SETTINGS = f"usage: {{enabled: true, url: '{URL}'}}"


def key(number: int, owner: str, cluster: str, *, age: float = 400) -> SimulatedKey:
    return SimulatedKey(
        id=f"KEY{number:05}",
        owner=SimulatedOwner(owner, "service-account"),
        resources=(SimulatedResource(cluster, "kafka", environment_id="env-1"),),
        created_at=EPOCH - age * DAY,
    )


def keys_of(pairs: Iterable[tuple[str, str]]) -> list[SimulatedKey]:
    return [key(number, *pair) for number, pair in enumerate(pairs)]


PAIRS = [(f"sa-{owner}", f"lkc-{cluster}") for owner in range(4) for cluster in "abc"]


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


class Truth:
    """Follows the latest time at which each cluster told of anybody, as the refreshes saw it."""

    def __init__(self, usage: SimulatedUsage) -> None:
        self._usage = usage
        self._ends: dict[str, float] = {}

    def refreshed(self, wall: float) -> None:
        """Note a refresh at the Unix time ``wall``, which asks for three known hours again."""
        now = wall - DELAY
        for cluster in {cluster for _, cluster in PAIRS}:
            end = self._ends.get(cluster)
            start = now - 7 * DAY
            if end is not None:  # clusters that are behind are asked about from midnight on
                unit = DAY if now - end > 3 * HOUR else HOUR
                start = max(start, (end - 3 * HOUR) // unit * unit)
            latest = [
                self._usage.last_request(owner, each, before=now)
                for owner, each in self._usage.pairs()
                if each == cluster
            ]
            if any(time is not None and time >= start for time in latest):
                self._ends[cluster] = now

    def unused(self, last_active: dict[tuple[str, str], float]) -> dict[str, float]:
        """Return the keys by owner that made no request in the last two known days."""
        return dict(
            Counter(
                owner
                for owner, cluster in PAIRS
                if cluster in self._ends
                and last_active.get((owner, cluster), 0.0) <= self._ends[cluster] - 2 * DAY
            )
        )


def queries(harness: Harness) -> int:
    return sum(each.path == METRICS_QUERY_PATH for each in harness.simulator.requests)


async def test_activity_is_that_of_the_last_seven_days() -> None:
    usage = SimulatedUsage(
        [
            workload(0, "a", ago=1000),
            workload(1, "a", ago=300, until=-200),  # longer ago than the API remembers
            workload(2, "a", ago=300, until=-100),
            workload(0, "b", ago=0.2),
            workload(3, "b", ago=0.04),  # too recent to be known
        ],
        silent=["lkc-c"],
    )
    harness = harness_with(usage, keys_of(PAIRS))
    await harness.exporter.refresh_once()
    start = harness.value(WINDOW_START)
    assert start == math.ceil((EPOCH - DELAY - 7 * DAY) / HOUR) * HOUR
    assert shown(harness) == truth(usage, now=EPOCH, since=start)
    assert set(shown(harness)) == {("sa-0", "lkc-a"), ("sa-2", "lkc-a"), ("sa-0", "lkc-b")}
    assert harness.value(UNJUDGED) == 1
    assert queries(harness) == 4, "one query for all clusters and each two of seven days"


async def test_what_is_known_equals_the_truth_in_every_hour_of_ten_days() -> None:
    usage = SimulatedUsage(
        [
            workload(0, "a", ago=1000),
            workload(1, "a", ago=300, until=30.5),
            workload(2, "b", ago=10, every=7 * HOUR),
            workload(3, "b", ago=-20, until=21),
            workload(0, "c", ago=2, until=-1),
        ]
    )
    harness = harness_with(
        usage, keys_of(PAIRS), ", refresh_interval: 1h, policy: {unused_for: 2d}"
    )
    async with harness.exporter.running():
        await harness.clock.sleep(60)
        start = harness.value(WINDOW_START) or 0
        exact = Truth(usage)
        for hour in range(240):
            # The latest refresh was at the beginning of this hour, or a few seconds later.
            exact.refreshed(harness.clock.wall() - 60)
            known = shown(harness)
            expected = truth(usage, now=harness.clock.wall() - 60, since=start)
            wrong = {
                pair: (known.get(pair), end)
                for pair, end in expected.items()
                if abs(known.get(pair, 0.0) - end) > 30
            }
            assert known.keys() == expected.keys()
            assert unused(harness) == exact.unused(expected), hour
            assert wrong == {}, hour
            await harness.clock.sleep(HOUR)
    assert harness.value(WINDOW_START) == start
    # Four more about the clusters that told of nobody for up to seven days.
    assert 244 <= queries(harness) <= 5 * 241
    paths = [each.path for each in harness.simulator.requests]
    assert paths.count(METRICS_DESCRIPTORS_PATH) == 1


async def test_a_failing_query_changes_nothing_about_other_clusters() -> None:
    pairs = [("sa-0", f"lkc-{number:03}") for number in range(60)]
    usage = SimulatedUsage(Workload(owner, cluster, EPOCH - DAY) for owner, cluster in pairs)
    harness = harness_with(usage, keys_of(pairs))
    for number in range(5, 10):  # the first query of the other clusters and its retries
        harness.simulator.script(number, "500", path=METRICS_QUERY_PATH)
    await harness.exporter.refresh_once()
    assert len(shown(harness)) == 40
    assert harness.value(UNJUDGED) == 20
    failure = harness.state.refreshes["usage"].failure
    assert failure is not None
    assert failure.message.startswith(
        f"POST {METRICS_QUERY_PATH}: 500 Internal Server Error: the Metrics API is failing"
    )
    assert harness.state.prioritized.up
    await harness.clock.sleep(HOUR)
    await harness.exporter.refresh_once()
    assert len(shown(harness)) == 60
    assert harness.value(UNJUDGED) == 0


@pytest.mark.parametrize("label", [each for each in PrincipalLabel if each.name != "TOLD"])
async def test_a_cluster_that_names_no_principal_is_not_evaluated(label: PrincipalLabel) -> None:
    usage = SimulatedUsage([workload(0, "a", ago=9), workload(0, "b", ago=9)])
    usage.labels["lkc-a"] = label
    harness = harness_with(usage, keys_of([("sa-0", "lkc-a"), ("sa-0", "lkc-b")]))
    await harness.exporter.refresh_once()
    assert set(shown(harness)) == {("sa-0", "lkc-b")}
    assert harness.value(UNJUDGED) == 1
    assert harness.state.refreshes["usage"].up


@pytest.mark.parametrize("spec", ["403", "401", "500", "html502", "truncated", "array", "reset"])
async def test_a_failing_metrics_api_harms_nothing_else(spec: str) -> None:
    usage = SimulatedUsage([workload(0, "a", ago=9)])
    harness = harness_with(usage, keys_of(PAIRS))
    await harness.exporter.refresh_once()
    before = shown(harness)
    harness.simulator.faults.append(parse_fault(f"{spec}@{METRICS_QUERY_PATH}"))
    await harness.clock.sleep(HOUR)
    await harness.exporter.refresh_once()
    assert not harness.state.refreshes["usage"].up
    assert harness.state.prioritized.up
    assert shown(harness) == before
    await harness.clock.sleep(4 * HOUR)
    await harness.exporter.refresh_once()
    assert harness.value(UNJUDGED) == 3, "what is known is too old to evaluate keys by"
    assert shown(harness) == before


async def test_an_empty_answer_makes_no_owner_unused() -> None:
    usage = SimulatedUsage([workload(0, "a", ago=1000), workload(1, "a", ago=1000)])
    keys = keys_of([("sa-0", "lkc-a"), ("sa-1", "lkc-a"), ("sa-2", "lkc-a")])
    harness = harness_with(usage, keys, ", policy: {unused_for: 1h}")
    await harness.exporter.refresh_once()
    assert unused(harness) == {"sa-2": 1}
    usage.silent.add("lkc-a")
    for _ in range(48):
        await harness.clock.sleep(HOUR)
        await harness.exporter.refresh_once()
        assert unused(harness) == {"sa-2": 1}
    usage.silent.clear()
    await harness.exporter.refresh_once()
    assert unused(harness) == {"sa-2": 1}


async def test_a_missing_role_is_named() -> None:
    harness = harness_with(SimulatedUsage(), keys_of(PAIRS))
    harness.simulator.faults.append(parse_fault(f"403@{METRICS_DESCRIPTORS_PATH}"))
    await harness.exporter.refresh_once()
    failure = harness.state.refreshes["usage"].failure
    assert failure is not None
    assert "Grant MetricsViewer" in failure.message


async def test_more_principals_than_an_answer_holds_are_asked_for_by_cluster() -> None:
    pairs = [(f"sa-{number:04}", f"lkc-{number % 4}") for number in range(1600)]
    usage = SimulatedUsage(Workload(owner, cluster, EPOCH - 2 * HOUR) for owner, cluster in pairs)
    harness = harness_with(usage, keys_of(pairs))
    await harness.exporter.refresh_once()
    assert len(shown(harness)) == 1600
    assert harness.value(UNJUDGED) == 0


async def test_a_cluster_with_too_many_principals_is_not_evaluated() -> None:
    pairs = [(f"sa-{number:04}", "lkc-a") for number in range(1100)]
    usage = SimulatedUsage(Workload(owner, cluster, EPOCH - 2 * HOUR) for owner, cluster in pairs)
    harness = harness_with(usage, keys_of(pairs))
    await harness.exporter.refresh_once()
    assert shown(harness) == {}
    assert harness.value(UNJUDGED) == 1


async def test_a_pool_shares_its_token_with_the_metrics_api(tmp_path: Path) -> None:
    harness = PoolHarness(tmp_path, settings=SETTINGS, keys=keys_of(PAIRS))
    harness.organization.usage = SimulatedUsage([workload(0, "a", ago=9)])
    await harness.exporter.refresh_once()
    assert harness.state.refreshes["usage"].up
    assert set(shown(harness)) == {("sa-0", "lkc-a")}
    assert harness.exchanges == 1
    assert harness.value("confluent_cloud_api_requests_total", endpoint=STS_PATH, code="200") == 1


async def test_a_state_file_keeps_what_is_known_over_a_restart(tmp_path: Path) -> None:
    usage = SimulatedUsage([workload(0, "a", ago=300, until=1), workload(1, "a", ago=300)])
    path = tmp_path / "usage.json"
    more = SETTINGS.replace("enabled: true", f"enabled: true, state_file: '{path}'")
    harness = Harness(keys_of(PAIRS), settings=more)
    harness.organization.usage = usage
    for _ in range(20):
        await harness.exporter.refresh_once()
        await harness.clock.sleep(DAY)
    start = harness.value(WINDOW_START)
    assert start is not None
    assert start < EPOCH - 6 * DAY
    before = shown(harness)
    assert before["sa-0", "lkc-a"] == EPOCH + HOUR - EPOCH % HOUR + HOUR * (EPOCH % HOUR > 0)
    restarted = harness.configured()
    await restarted.exporter.refresh_once()
    assert restarted.value(WINDOW_START) == start
    assert shown(restarted)["sa-0", "lkc-a"] == before["sa-0", "lkc-a"]
    assert restarted.state.get(USAGE).known.periods["lkc-a"].start == start
    await harness.clock.sleep(8 * DAY)  # longer than the API remembers
    again = harness.configured()
    await again.exporter.refresh_once()
    assert (again.value(WINDOW_START) or 0) > harness.clock.wall() - 7 * DAY - 2 * HOUR


async def test_without_the_setting_no_request_goes_to_the_metrics_api() -> None:
    harness = Harness(keys_of(PAIRS))
    await harness.exporter.refresh_once()
    assert queries(harness) == 0
    assert harness.value(UNJUDGED) is None


@pytest.mark.parametrize(("rule", "found"), [("6d", {"sa-1"}), ("12h", {"sa-1", "sa-2"})])
async def test_a_report_finds_unused_keys(rule: str, found: set[str]) -> None:
    usage = SimulatedUsage([workload(0, "a", ago=300), workload(2, "a", ago=300, until=-24)])
    keys = keys_of([("sa-0", "lkc-a"), ("sa-1", "lkc-a"), ("sa-2", "lkc-a")])
    harness = harness_with(usage, keys, f", policy: {{unused_for: {rule}}}")
    (report,) = await fetch_reports(
        harness.exporter.hosts(),
        clock=harness.clock,
        on_progress=lambda *_, **__: None,
        metrics_hosts=harness.exporter.metrics_hosts(),
    )
    assert "unused_for" in report.evaluated
    assert {row.owner_id for row in report.rows if "unused_for" in row.policies} == found
    harness.simulator.faults.append(parse_fault(f"403@{METRICS_QUERY_PATH}"))
    (report,) = await fetch_reports(
        harness.exporter.hosts(),
        clock=harness.clock,
        on_progress=lambda *_, **__: None,
        metrics_hosts=harness.exporter.metrics_hosts(),
    )
    assert not report.failed
    assert "unused_for" not in report.evaluated
    assert not any("unused_for" in row.policies for row in report.rows)


def row(principal: object, cluster: str = "lkc-a", **members: object) -> dict[str, object]:
    """Return a row about the last but one hour that is known."""
    start = (EPOCH - DELAY) // HOUR * HOUR - HOUR
    return {
        "timestamp": f"{datetime.fromtimestamp(start, UTC):%Y-%m-%dT%H:%M:%SZ}",
        "resource.kafka.id": cluster,
        "metric.principal_id": principal,
        "value": 1.0,
        **members,
    }


class Rows(httpx.AsyncBaseTransport):
    """Answers each query with the same rows, and passes all other requests on."""

    def __init__(self, inner: httpx.AsyncBaseTransport, rows: list[dict[str, object]]) -> None:
        self._inner = inner
        self._rows = rows

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path != METRICS_QUERY_PATH:
            return await self._inner.handle_async_request(request)
        return httpx.Response(200, json={"data": self._rows})


async def unused_with(*rows: dict[str, object]) -> dict[str, float]:
    """Return the findings about `sa-0`, a key of which is used, and `sa-1`, if this is told."""
    harness = Harness(
        keys_of([("sa-0", "lkc-a"), ("sa-1", "lkc-a")]), settings=SETTINGS + UNUSED_FOR
    )
    harness.wire = Rows(harness.wire, list(rows))
    await harness.configured().exporter.refresh_once()
    assert harness.state.prioritized.up
    return unused(harness)


UNUSED_FOR = ", policy: {unused_for: 1d}"
NOBODY: list[dict[str, object]] = [row(None), row("")]


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([row("sa-0")], {"sa-1": 1}),
        ([row("sa-0", value="NaN"), row("sa-2")], {"sa-0": 1, "sa-1": 1}),
        ([row("sa-0", value="17"), row("sa-2")], {"sa-1": 1}),
        ([row("User:sa-0")], {"sa-1": 1}),
        ([row("123456")], {}),
        ([row("123456"), row("sa-2")], {}),
        ([row("123456", value=0), row("sa-2")], {"sa-0": 1, "sa-1": 1}),
        ([row("sa-0", timestamp="today"), row("sa-2")], {}),
        ([row("sa-0", timestamp=None), row("sa-2")], {}),
        ([row("sa-2", timestamp="0001-01-01T00:00:00Z")], {}),
        ([row("sa-2"), *(row(f"sa-{number}", "lkc-z") for number in range(1000))], {}),
        ([row("sa-2"), *(row(f"sa-{number}", value=0) for number in range(3, 1002))], {}),
        ([row(f"sa-{number}") for number in range(2, 1000)], {"sa-0": 1, "sa-1": 1}),
        ([row(f"sa-{number}") for number in range(2, 1000)] + NOBODY, {}),
    ],
)
async def test_no_answer_makes_a_used_key_unused(
    rows: list[dict[str, object]], found: dict[str, float]
) -> None:
    assert await unused_with(*rows) == found


async def test_a_full_page_of_a_query_stays_below_the_longest_response() -> None:
    harness = harness_with(SimulatedUsage([workload(0, "a", ago=9)]), keys_of(PAIRS))
    await harness.exporter.refresh_once()
    bodies = [json.loads(each.content) for each in harness.sent if each.content]
    assert len(bodies) == 4
    a_row = len(json.dumps(row("sa-1234567", "lkc-1234567", principal_name="x" * 50)))
    for body in bodies:
        start, end = (datetime.fromisoformat(each) for each in body["intervals"][0].split("/"))
        hours = math.ceil((end - start).total_seconds() / HOUR)
        size = body["limit"] * hours * a_row
        assert size < harness.config.organizations[0].max_response_bytes


async def test_a_clock_that_was_ahead_makes_no_key_unused(tmp_path: Path) -> None:
    usage = SimulatedUsage([workload(0, "a", ago=300)])
    path = tmp_path / "usage.json"
    UsageFile(path, "acme").write(
        Usage(
            {("sa-0", "lkc-a"): EPOCH},
            {"lkc-a": Period(EPOCH - 30 * DAY, EPOCH + 5 * DAY)},
        )
    )
    harness = Harness(
        keys_of([("sa-0", "lkc-a")]),
        settings=SETTINGS.replace("true", f"true, state_file: '{path}'") + UNUSED_FOR,
    )
    harness.organization.usage = usage
    await harness.exporter.refresh_once()
    assert harness.state.refreshes["usage"].up
    assert harness.value(UNJUDGED) == 0
    assert unused(harness) == {}


async def test_a_report_does_not_evaluate_by_an_old_state_file(tmp_path: Path) -> None:
    path = tmp_path / "usage.json"
    UsageFile(path, "acme").write(
        Usage(
            {("sa-0", "lkc-a"): EPOCH - 60 * DAY, ("sa-1", "lkc-a"): EPOCH - 30 * DAY},
            {"lkc-a": Period(EPOCH - 90 * DAY, EPOCH - 30 * DAY)},
        )
    )
    harness = Harness(
        keys_of([("sa-0", "lkc-a")]),
        settings=SETTINGS.replace("true", f"true, state_file: '{path}'") + UNUSED_FOR,
    )
    harness.simulator.faults.append(parse_fault(f"500@{METRICS_QUERY_PATH}"))
    (report,) = await fetch_reports(
        harness.exporter.hosts(),
        clock=harness.clock,
        on_progress=lambda *_, **__: None,
        metrics_hosts=harness.exporter.metrics_hosts(),
    )
    assert "unused_for" not in report.evaluated
    assert not any("unused_for" in row.policies for row in report.rows)


async def test_another_metrics_api_changes_nothing_about_the_keys() -> None:
    harness = harness_with(SimulatedUsage([workload(0, "a", ago=9)]), keys_of(PAIRS))
    await harness.exporter.refresh_once()
    settings = SETTINGS.replace("8089", "8090")
    other = configuration(SETTINGS, more=f"    {settings}\n", environ=harness.environ)
    async with harness.exporter.running():
        await harness.exporter.reload(other)
        assert harness.state.prioritized.up
        assert harness.state.refreshes["usage"].finished is None


async def test_a_reload_with_a_longer_state_file_keeps_both(tmp_path: Path) -> None:
    path = tmp_path / "usage.json"
    long_ago = Usage(
        {("sa-1", "lkc-a"): EPOCH - 20 * DAY}, {"lkc-a": Period(EPOCH - 30 * DAY, EPOCH - 2 * DAY)}
    )
    UsageFile(path, "acme").write(long_ago)
    harness = harness_with(SimulatedUsage([workload(0, "a", ago=300)]), keys_of(PAIRS))
    async with harness.exporter.running():
        await harness.clock.sleep(60)
        assert ("sa-1", "lkc-a") not in shown(harness)
        settings = SETTINGS.replace("true", f"true, state_file: '{path}'")
        await harness.exporter.reload(configuration(settings, environ=harness.environ))
        await harness.clock.sleep(60)
        assert harness.state.get(USAGE).known.periods["lkc-a"].start == EPOCH - 30 * DAY
        assert shown(harness)["sa-1", "lkc-a"] == EPOCH - 20 * DAY
    assert UsageFile(path, "acme").read().periods["lkc-a"].start == EPOCH - 30 * DAY


class Rejecting(httpx.AsyncBaseTransport):
    """Rejects queries that name a cluster, and passes all other requests on."""

    def __init__(self, inner: httpx.AsyncBaseTransport, cluster: str, status: int) -> None:
        self._inner = inner
        self._cluster = f'"{cluster}"'.encode()
        self._status = status
        self.rejected = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._cluster not in await request.aread():
            return await self._inner.handle_async_request(request)
        self.rejected += 1
        return httpx.Response(self._status, json={"errors": [{"detail": "no such cluster"}]})


@pytest.mark.parametrize("status", [400, 404])
async def test_a_rejected_cluster_changes_nothing_about_others(status: int) -> None:
    pairs = [("sa-0", f"lkc-{number:03}") for number in range(40)]
    usage = SimulatedUsage(Workload(owner, cluster, EPOCH - DAY) for owner, cluster in pairs)
    harness = harness_with(usage, keys_of(pairs))
    wire = Rejecting(harness.wire, "lkc-007", status)
    harness.wire = wire
    await harness.configured().exporter.refresh_once()
    found = {cluster for _, cluster in shown(harness)}
    assert found == {cluster for _, cluster in pairs} - {"lkc-007"}
    assert harness.value(UNJUDGED) == 1
    assert wire.rejected == 6, "with 40, 20, 10, 5 and 3 clusters, and the one alone"
    assert not harness.state.refreshes["usage"].up


async def test_queries_that_are_all_rejected_are_not_repeated_for_ever() -> None:
    pairs = [("sa-0", f"lkc-{number:03}") for number in range(400)]
    harness = harness_with(SimulatedUsage(), keys_of(pairs))
    wire = Rejecting(harness.wire, "PT1H", 400)
    harness.wire = wire
    await harness.configured().exporter.refresh_once()
    assert wire.rejected == 10 + 2 * 40
