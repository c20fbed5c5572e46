"""Late, partial, refused and wrong answers of the Metrics API make no used key unused."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from exporter.simulator import (
    METRICS_DESCRIPTORS_PATH,
    METRICS_QUERY_PATH,
    PrincipalLabel,
    SimulatedUsage,
    Workload,
    parse_fault,
)
from tests.harness import Harness
from tests.usage import (
    DAY,
    DELAY,
    HOUR,
    PAIRS,
    SETTINGS,
    UNJUDGED,
    UNUSED_FOR,
    Answering,
    Rejecting,
    harness_with,
    keys_of,
    queries,
    report_of,
    shown,
    unused,
    workload,
)
from tests.virtual_time import EPOCH, FakeClock

COUNTER = "io.confluent.kafka.server/request_count"


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


def without(member: str, principal: str) -> dict[str, object]:
    return {name: value for name, value in row(principal).items() if name != member}


NOBODY: list[dict[str, object]] = [row(None), row("")]


async def unused_with(*rows: dict[str, object]) -> dict[str, float]:
    """Return the findings about `sa-0`, a key of which is used, and `sa-1`, if this is told."""
    harness = Harness(
        keys_of([("sa-0", "lkc-a"), ("sa-1", "lkc-a")]), settings=SETTINGS + UNUSED_FOR
    )
    harness.wire = Answering(harness.wire, METRICS_QUERY_PATH, {"data": rows})
    await harness.configured().exporter.refresh_once()
    assert harness.state.prioritized.up
    return unused(harness)


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


@pytest.mark.parametrize(
    "spec", ["403", "401", "500", "html502", "truncated", "array", "reset", "loop"]
)
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
    for hour in range(48):
        await harness.clock.sleep(HOUR)
        await harness.exporter.refresh_once()
        # The answers lack what is known. After three intervals, it is too old to evaluate keys by.
        assert unused(harness) == ({"sa-2": 1} if hour < 3 else {}), hour
    assert harness.value(UNJUDGED) == 1
    usage.silent.clear()
    await harness.exporter.refresh_once()
    assert unused(harness) == {"sa-2": 1}


@pytest.mark.parametrize("late", [4, 22])
async def test_data_that_are_late_by_less_than_a_day_make_no_key_unused(late: float) -> None:
    usage = SimulatedUsage(
        [
            workload(0, "a", ago=1000),
            Workload("sa-1", "lkc-a", EPOCH - 9 * DAY, every=30 * HOUR, lateness=late * HOUR),
        ]
    )
    keys = keys_of([("sa-0", "lkc-a"), ("sa-1", "lkc-a"), ("sa-2", "lkc-a")])
    harness = harness_with(usage, keys, ", policy: {unused_for: 54h}")
    for _ in range(100):
        await harness.exporter.refresh_once()
        assert unused(harness) == {"sa-2": 1}
        await harness.clock.sleep(HOUR)
    assert queries(harness) == 4 + 99, "one query an hour"


async def test_data_that_are_all_late_make_no_key_unused() -> None:
    usage = SimulatedUsage([workload(0, "a", ago=1000), workload(1, "a", ago=1000, every=7 * HOUR)])
    harness = harness_with(usage, keys_of(PAIRS), ", policy: {unused_for: 8h}")
    await harness.exporter.refresh_once()
    for hours in range(1, 20):
        harness.simulator.faults[:] = [parse_fault(f"late:{hours}h@{METRICS_QUERY_PATH}")]
        await harness.clock.sleep(HOUR)
        await harness.exporter.refresh_once()
        assert unused(harness) == {"sa-2": 1, "sa-3": 1}


async def test_an_answer_that_hides_principals_makes_no_key_unused() -> None:
    usage = SimulatedUsage(workload(owner, "a", ago=1000) for owner in range(20))
    keys = keys_of((f"sa-{owner}", "lkc-a") for owner in range(21))
    harness = harness_with(usage, keys, ", policy: {unused_for: 1h}")
    await harness.exporter.refresh_once()
    assert unused(harness) == {"sa-20": 1}
    harness.simulator.faults.append(parse_fault(f"shrink@{METRICS_QUERY_PATH}"))
    with capture_logs() as logs:
        for _ in range(48):
            await harness.clock.sleep(HOUR)
            await harness.exporter.refresh_once()
            assert unused(harness).keys() <= {"sa-20"}
    assert harness.value(UNJUDGED) == 1
    assert [each["problem"] for each in logs if each["log_level"] == "warning"] == [
        "the answer lacks requests that are known from an earlier one"
    ]
    harness.simulator.faults.clear()
    await harness.exporter.refresh_once()
    assert unused(harness) == {"sa-20": 1}


async def test_clusters_that_were_busy_at_other_times_are_asked_in_few_queries() -> None:
    pairs = [("sa-0", f"lkc-{number:03}") for number in range(120)]
    usage = SimulatedUsage(
        Workload(owner, cluster, EPOCH - number * HOUR, until=EPOCH - number * HOUR + 1)
        for number, (owner, cluster) in enumerate(pairs, start=1)
    )
    harness = harness_with(usage, keys_of(pairs))
    await harness.exporter.refresh_once()
    assert len(shown(harness)) == 120
    before = queries(harness)
    await harness.clock.sleep(HOUR)
    await harness.exporter.refresh_once()
    # One for the last day; up to four about each of the days before, as far as seven days.
    assert queries(harness) - before <= 1 + 2 + 2 + 3 + 3 + 4


@pytest.mark.parametrize("hours", [3, 24, 72, 24 * 30, -3, -24, -72])
async def test_a_clock_that_jumps_makes_no_key_unused(hours: float) -> None:
    usage = SimulatedUsage([workload(0, "a", ago=1000), workload(1, "a", ago=50)])
    keys = keys_of([("sa-0", "lkc-a"), ("sa-1", "lkc-a"), ("sa-2", "lkc-a")])
    harness = harness_with(usage, keys, ", policy: {unused_for: 2h}")
    harness.clock = FakeClock()  # of the exporter only
    harness.configured()
    for jump in (0, 0, hours, 0, -hours, 0, 0):
        harness.clock.jump(jump * HOUR)
        await harness.exporter.refresh_once()
        assert unused(harness).keys() <= {"sa-2"}
        await harness.clock.sleep(HOUR)
    await harness.exporter.refresh_once()
    assert unused(harness) == {"sa-2": 1}
    assert harness.state.prioritized.up


async def test_a_cluster_that_disappears_for_days_makes_no_key_unused() -> None:
    usage = SimulatedUsage([workload(0, "a", ago=1000), workload(1, "a", ago=1000)])
    harness = harness_with(usage, keys_of(PAIRS), ", policy: {unused_for: 2h}")
    wire = Rejecting(harness.wire, "lkc-a", 404)
    harness.wire = wire
    harness.configured()
    for hour in range(60):
        wire.is_active = 10 <= hour < 50
        await harness.exporter.refresh_once()
        is_evaluated = not 13 <= hour < 50  # what is known is too old after three intervals
        assert unused(harness) == ({"sa-2": 1, "sa-3": 1} if is_evaluated else {}), hour
        assert harness.value(UNJUDGED) == (2 if is_evaluated else 3), hour
        await harness.clock.sleep(HOUR)


@pytest.mark.parametrize(
    ("principal", "problem"),
    [
        ("123456", "the principal '123456' made requests, and may be any owner"),
        ("", "the principal '' made requests, and may be any owner"),
    ],
)
async def test_a_cluster_with_an_unclear_principal_becomes_unevaluated_and_is_logged_once(
    principal: str, problem: str
) -> None:
    usage = SimulatedUsage([workload(0, "a", ago=1000), workload(0, "b", ago=1000)])
    keys = keys_of(pair for pair in PAIRS if pair[1] != "lkc-c")
    harness = harness_with(usage, keys, ", policy: {unused_for: 2h}")
    await harness.exporter.refresh_once()
    assert unused(harness) == {"sa-1": 2, "sa-2": 2, "sa-3": 2}
    usage.add(Workload(principal, "lkc-a", harness.clock.wall()))
    with capture_logs() as logs:
        for _ in range(5):
            await harness.clock.sleep(HOUR)
            await harness.exporter.refresh_once()
    assert unused(harness) == {"sa-1": 1, "sa-2": 1, "sa-3": 1}
    assert harness.value(UNJUDGED) == 1
    facts = [fact for each in harness.exporter.summaries(harness.state) for fact in each.facts]
    assert "not evaluated: 1 of 2 Kafka clusters" in [fact.note for fact in facts]
    assert [
        (each["problem"], each["clusters"], each["number"])
        for each in logs
        if each["log_level"] == "warning"
    ] == [(problem, ["lkc-a"], 1)]


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
    with capture_logs() as logs:
        for _ in range(3):
            await harness.exporter.refresh_once()
    assert shown(harness) == {}
    assert harness.value(UNJUDGED) == 1
    assert [each["problem"] for each in logs if each["log_level"] == "warning"] == [
        "an answer may lack some of its 1000 or more principals"
    ]


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
        ([row("sa-0", timestamp="0001-01-01T00:00:00+23:59"), row("sa-2")], {}),
        ([row("sa-0", timestamp="1970-01-01T00:00:00Z"), row("sa-2")], {}),
        ([row("sa-0", timestamp="9999-12-31T23:00:00Z"), row("sa-2")], {}),
        ([row("sa-0", value=-1), row("sa-2")], {"sa-1": 1}),
        ([row("sa-0", value=10**400), row("sa-2")], {"sa-1": 1}),
        ([row("sa-0", value=[0]), row("sa-2")], {"sa-1": 1}),
        ([without("value", "sa-0"), row("sa-2")], {"sa-1": 1}),
        ([row("sa-0"), row("sa-0", value=0), row("sa-0"), row("sa-2")], {"sa-1": 1}),
        ([row(None), row("sa-2")], {}),
        ([row(""), row("sa-2")], {}),
        ([without("metric.principal_id", "sa-0"), row("sa-2")], {}),
        ([without("resource.kafka.id", "sa-0"), row("sa-2")], {}),
        ([row("Team-A"), row("sa-2")], {}),
        ([row("my-service"), row("sa-2")], {}),
        ([row("sa-0", "lkc-z"), row("sa-2")], {"sa-0": 1, "sa-1": 1}),
        ([row("s" * 10_000_000), row("sa-2")], {}),
        ([row(7), row("sa-2")], {}),
        ([row("sa-0", 7), row("sa-2")], {}),  # type: ignore[arg-type] # wrong on purpose
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


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"data": []},
        {"data": [{"name": COUNTER}]},
        {"data": [{"name": COUNTER, "labels": None}]},
        {"data": [{"name": COUNTER, "labels": [{"key": "metric.type"}]}]},
        {"data": [{"name": COUNTER, "labels": [{"key": 7}]}]},
        {"data": [{"name": "x" * 10_000_000, "labels": [{"key": "metric.principal_id"}]}]},
        {"data": [{"name": "another", "labels": [{"key": "metric.principal_id"}]}]},
    ],
    ids=range(8),
)
async def test_no_list_of_metrics_changes_anything_else(body: dict[str, object]) -> None:
    harness = harness_with(SimulatedUsage([workload(0, "a", ago=9)]), keys_of(PAIRS), UNUSED_FOR)
    harness.wire = Answering(harness.wire, METRICS_DESCRIPTORS_PATH, body)
    await harness.configured().exporter.refresh_once()
    assert not harness.state.refreshes["usage"].up
    assert harness.state.prioritized.up
    assert unused(harness) == {}


@pytest.mark.parametrize("status", [400, 403, 404])
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
    failure = harness.state.refreshes["usage"].failure
    assert failure is not None
    assert failure.message.endswith("(for lkc-007)")


async def test_a_report_evaluates_the_other_clusters_if_one_is_refused() -> None:
    pairs = [("sa-0", "lkc-a"), ("sa-1", "lkc-a"), ("sa-0", "lkc-b"), ("sa-1", "lkc-b")]
    usage = SimulatedUsage([workload(0, "a", ago=300), workload(0, "b", ago=300)])
    harness = harness_with(usage, keys_of(pairs), UNUSED_FOR)
    harness.wire = Rejecting(harness.wire, "lkc-b", 403)
    report = await report_of(harness.configured())
    assert [row.api_key_id for row in report.rows if "unused_for" in row.policies] == ["KEY00001"]


async def test_queries_that_are_all_rejected_are_not_repeated_for_ever() -> None:
    pairs = [("sa-0", f"lkc-{number:03}") for number in range(400)]
    harness = harness_with(SimulatedUsage(), keys_of(pairs))
    wire = Rejecting(harness.wire, "PT1H", 400)
    harness.wire = wire
    await harness.configured().exporter.refresh_once()
    assert wire.rejected == 10 + 2 * 40
