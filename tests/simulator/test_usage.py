from __future__ import annotations

from datetime import UTC, datetime

import pytest

from exporter.simulator import (
    PrincipalLabel,
    SimulatedOrganization,
    SimulatedUsage,
    Simulator,
    Workload,
    seeded_organization,
)
from exporter.simulator.accounts import Account
from tests.simulator.helpers import SECRET
from tests.simulator.metrics import DAY, NOON, brief, clusters, rows
from tests.virtual_time import FakeClock

HOUR = 3600


def test_a_workload_makes_requests_at_regular_times_until_its_end() -> None:
    workload = Workload("sa-1", "lkc-1", first=1000, every=60, until=1240)

    assert workload.times(0, 1000) == 0
    assert workload.times(1000, 1001) == 1
    assert workload.times(1001, 1060) == 0
    assert workload.times(0, 10_000) == 4
    assert [workload.latest(before) for before in (1000, 1001, 1060, 1061, 9999)] == [
        None,
        1000,
        1000,
        1060,
        1180,
    ]


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (NOON + 180, None),
        (NOON + 181, NOON + HOUR),
        (NOON + HOUR + 180, NOON + HOUR),
        (NOON + HOUR + 181, NOON + 2 * HOUR),
        (NOON + DAY, NOON + 3 * HOUR),
    ],
)
def test_the_truth_is_the_end_of_the_newest_bucket_with_a_visible_request(
    at: float, expected: float | None
) -> None:
    usage = SimulatedUsage([Workload("sa-1", "lkc-1", NOON, every=HOUR, until=NOON + 2.5 * HOUR)])

    assert usage.last_active("sa-1", "lkc-1", at=at) == expected


def test_the_truth_covers_all_workloads_of_a_pair_and_no_others() -> None:
    usage = SimulatedUsage(
        [
            Workload("sa-1", "lkc-1", NOON, until=NOON + 1),
            Workload("sa-1", "lkc-1", NOON + 5 * HOUR, until=NOON + 5 * HOUR + 1),
            Workload("sa-1", "lkc-2", NOON + 9 * HOUR),
        ]
    )

    assert usage.last_active("sa-1", "lkc-1", at=NOON + DAY) == NOON + 6 * HOUR
    assert usage.last_active("sa-1", "lkc-1", at=NOON + DAY, since=NOON + 6 * HOUR) is None
    assert usage.last_active("sa-1", "lkc-1", at=NOON + DAY, bucket=DAY) == NOON + DAY / 2
    assert usage.last_active("sa-2", "lkc-1", at=NOON + DAY) is None


def test_nothing_is_known_about_clusters_that_do_not_tell() -> None:
    usage = SimulatedUsage(
        [Workload("sa-1", "lkc-1", NOON), Workload("sa-1", "lkc-2", NOON)],
        silent=["lkc-1"],
        labels={"lkc-2": PrincipalLabel.NULL},
    )

    assert usage.last_active("sa-1", "lkc-1", at=NOON + DAY) is None
    assert usage.last_active("sa-1", "lkc-2", at=NOON + DAY) is None
    assert not usage.tells("lkc-1", at=NOON + DAY)
    assert not usage.tells("lkc-2", at=NOON + DAY)
    assert usage.last_request("sa-1", "lkc-1", before=NOON + 61) == NOON + 60


async def test_data_of_a_workload_may_be_later_than_newer_data_of_others() -> None:
    usage = SimulatedUsage(
        [
            Workload("sa-1", "lkc-1", NOON - 4 * HOUR, every=HOUR, lateness=2 * HOUR),
            Workload("sa-2", "lkc-1", NOON - 4 * HOUR, every=HOUR),
        ]
    )
    account = Account("CLOUDKEY", SECRET, SimulatedOrganization(usage=usage))
    simulator = Simulator([account], clock=FakeClock(wall=NOON))

    found = await rows(simulator, intervals=["2024-01-01T00:00:00Z/2024-01-01T12:00:00Z"])

    assert [each[1:3] for each in brief(found)] == [
        ("sa-1", "08:00"),
        ("sa-1", "09:00"),
        ("sa-2", "08:00"),
        ("sa-2", "09:00"),
        ("sa-2", "10:00"),
        ("sa-2", "11:00"),
    ]
    assert usage.last_active("sa-1", "lkc-1", at=NOON) == NOON - 2 * HOUR
    assert usage.last_active("sa-1", "lkc-1", at=NOON + 2 * HOUR) == NOON
    assert usage.last_active("sa-2", "lkc-1", at=NOON) == NOON


async def test_late_data_are_in_no_answer_before() -> None:
    usage = SimulatedUsage([Workload("sa-1", "lkc-1", NOON - HOUR, lateness=2 * HOUR)])
    account = Account("CLOUDKEY", SECRET, SimulatedOrganization(usage=usage))
    simulator = Simulator([account], clock=FakeClock(wall=NOON))

    assert await rows(simulator) == []
    assert usage.last_active("sa-1", "lkc-1", at=NOON) is None


def test_a_cluster_tells_while_anyone_was_active() -> None:
    usage = SimulatedUsage(
        [
            Workload("sa-1", "lkc-1", NOON, until=NOON + 1),
            Workload("sa-2", "lkc-1", NOON + HOUR, until=NOON + HOUR + 1),
        ]
    )

    assert not usage.tells("lkc-1", at=NOON)
    assert usage.tells("lkc-1", at=NOON + DAY)
    assert usage.tells("lkc-1", at=NOON + DAY, since=NOON + HOUR)
    assert not usage.tells("lkc-1", at=NOON + DAY, since=NOON + HOUR + 1)
    assert not usage.tells("lkc-2", at=NOON + DAY)


def test_an_owner_can_stop_at_any_time() -> None:
    usage = SimulatedUsage([Workload("sa-1", "lkc-1", NOON), Workload("sa-2", "lkc-1", NOON)])

    usage.stop("sa-1", "lkc-1", at=NOON + HOUR)
    usage.stop("sa-1", "lkc-1", at=NOON + 2 * HOUR)

    assert usage.last_request("sa-1", "lkc-1", before=NOON + DAY) == NOON + HOUR - 60
    assert usage.last_request("sa-2", "lkc-1", before=NOON + DAY) == NOON + DAY - 60


def test_a_seed_determines_the_usage() -> None:
    organizations = [seeded_organization(seed=seed, now=NOON) for seed in (1, 1, 2)]

    truths = [
        {
            pair: organization.usage.last_active(*pair, at=NOON)
            for pair in organization.usage.pairs()
        }
        for organization in organizations
    ]

    assert truths[0] == truths[1] != truths[2]


def test_a_seeded_organization_has_every_kind_of_usage() -> None:
    organization = seeded_organization(seed=1, now=NOON)
    usage = organization.usage
    owned = {
        (key.owner.id, resource.id)
        for key in organization.keys.values()
        if key.owner is not None
        for resource in key.resources
        if resource.kind == "kafka"
    }
    used = set(usage.pairs())
    newest = {pair: usage.last_request(*pair, before=NOON) or 0.0 for pair in used & owned}
    later = {pair: usage.last_request(*pair, before=NOON + 20 * DAY) or 0.0 for pair in newest}

    assert owned - used, "some owners never work"
    assert any(NOON - 10 * DAY < time < NOON - 3 * DAY for time in newest.values())
    assert any(newest[pair] > NOON - HOUR and later[pair] < NOON + 14 * DAY for pair in newest)
    assert any(time > NOON + 20 * DAY - HOUR for time in later.values())
    assert {principal[:2] for principal, _ in used} >= {"sa", "u-", "po", "00"}
    with_service = {cluster for principal, cluster in used if principal.isdigit()}
    assert (len(usage.silent), len(usage.labels), len(with_service)) == (3, 3, 3)
    assert len(usage.silent | usage.labels.keys() | with_service) == 9, "most clusters tell"


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_the_answers_and_the_truth_agree(seed: int) -> None:
    clock = FakeClock(wall=NOON)
    organization = seeded_organization(seed=seed, keys=400, now=NOON)
    simulator = Simulator([Account("CLOUDKEY", SECRET, organization)], clock=clock)
    usage = organization.usage
    named = {cluster for _, cluster in usage.pairs() if cluster not in usage.labels}

    for _ in range(3):
        now = clock.wall()
        start = now // HOUR * HOUR - 6 * DAY
        found = await rows(
            simulator,
            filter=clusters(*named),
            intervals=[f"{_iso(start)}/{_iso(now + HOUR)}"],
            limit=7,
        )
        newest: dict[tuple[str, str], float] = {}
        for row in found:
            pair = (row["metric.principal_id"], row["resource.kafka.id"])
            hour = NOON + HOUR * (_hours(row["timestamp"]) - _hours(_iso(NOON)))
            newest[pair] = max(newest.get(pair, 0.0), hour + HOUR)

        truth = {pair: usage.last_active(*pair, at=now, since=start) for pair in usage.pairs()}
        assert newest == {pair: time for pair, time in truth.items() if time is not None}
        await clock.sleep(2.3 * DAY)


def _iso(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat()


def _hours(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp() / HOUR
