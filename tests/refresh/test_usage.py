"""What the Metrics API tells about owners becomes metrics, and nothing that it does not tell."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from exporter.collectors.usage_file import UsageFile
from exporter.collectors.usage_state import USAGE
from exporter.inventory.usage import Period, Usage
from exporter.simulator import (
    METRICS_DESCRIPTORS_PATH,
    METRICS_QUERY_PATH,
    STS_PATH,
    SimulatedUsage,
    parse_fault,
)
from tests.harness import Harness, configuration
from tests.pools import PoolHarness
from tests.usage import (
    DAY,
    DELAY,
    HOUR,
    PAIRS,
    SETTINGS,
    UNJUDGED,
    UNUSED_FOR,
    WINDOW_START,
    harness_with,
    keys_of,
    queries,
    report_of,
    shown,
    truth,
    unused,
    workload,
)
from tests.virtual_time import EPOCH

if TYPE_CHECKING:
    from pathlib import Path


class Truth:
    """Follows the newest hour in which each cluster told of anybody, as the refreshes saw it."""

    def __init__(self, usage: SimulatedUsage) -> None:
        self._usage = usage
        self._ends: dict[str, float] = {}

    def refreshed(self, wall: float) -> None:
        """Note a refresh at the Unix time ``wall``."""
        now = wall - DELAY
        for owner, cluster in self._usage.pairs():
            latest = self._usage.last_request(owner, cluster, before=now)
            if latest is not None:
                end = min(now, latest // HOUR * HOUR + HOUR)
                self._ends[cluster] = max(end, self._ends.get(cluster, 0.0))

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


async def test_an_hour_that_is_partly_forgotten_is_not_known() -> None:
    harness = harness_with(SimulatedUsage([workload(0, "a", ago=1000)]), keys_of(PAIRS))
    harness.clock.jump(HOUR - EPOCH % HOUR + 60)  # one minute of the first hour is forgotten
    await harness.exporter.refresh_once()
    assert harness.value(WINDOW_START) == harness.clock.wall() - 7 * DAY - 60 + HOUR


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


async def test_a_missing_role_is_named() -> None:
    harness = harness_with(SimulatedUsage(), keys_of(PAIRS))
    harness.simulator.faults.append(parse_fault(f"403@{METRICS_DESCRIPTORS_PATH}"))
    await harness.exporter.refresh_once()
    failure = harness.state.refreshes["usage"].failure
    assert failure is not None
    assert "Grant MetricsViewer to the service account of the API key" in failure.message


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
    report = await report_of(harness)
    assert "unused_for" in report.evaluated
    assert {row.owner_id for row in report.rows if "unused_for" in row.policies} == found
    harness.simulator.faults.append(parse_fault(f"403@{METRICS_QUERY_PATH}"))
    report = await report_of(harness)
    assert not report.failed
    assert "unused_for" not in report.evaluated
    assert not any("unused_for" in row.policies for row in report.rows)


@pytest.mark.parametrize(
    ("active", "end"), [(EPOCH, EPOCH + 5 * DAY), (EPOCH + 5 * DAY, EPOCH), (1e11, 1e11)]
)
async def test_a_state_file_from_the_future_makes_no_key_unused(
    tmp_path: Path, active: float, end: float
) -> None:
    usage = SimulatedUsage([workload(0, "a", ago=300)])
    path = tmp_path / "usage.json"
    UsageFile(path, "acme").write(
        Usage(
            {("sa-0", "lkc-a"): active, ("sa-1", "lkc-a"): EPOCH - 20 * DAY},
            {"lkc-a": Period(EPOCH - 30 * DAY, end)},
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
    assert set(shown(harness)) == {("sa-0", "lkc-a")}, "what the file holds is not used"
    assert shown(harness)["sa-0", "lkc-a"] == math.floor(EPOCH - DELAY)


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
    report = await report_of(harness)
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
