"""What is known about activity, and which keys are unused. Times are hours after a start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.inventory.keys import Key, Owner, Resource
from exporter.inventory.usage import (
    Activity,
    Period,
    Usage,
    batches,
    kafka_clusters,
    merged,
    next_period,
    retain,
    unused_keys,
    with_answer,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

HOUR, DAY = 3600.0, 86_400.0
START = 1_790_002_800.0  # a full hour
assert START % HOUR == 0


def at(hours: float) -> float:
    return START + hours * HOUR


def known(
    active: Mapping[tuple[str, str], float],
    periods: Mapping[str, tuple[float, float]],
    answers: Mapping[str, float] | None = None,
) -> Usage:
    return Usage(
        {pair: at(hours) for pair, hours in active.items()},
        {cluster: Period(at(start), at(end)) for cluster, (start, end) in periods.items()},
        {cluster: at(end) for cluster, end in (answers or {}).items()},
    )


def key(key_id: str, owner: str, *clusters: str, created: float | None = -100) -> Key:
    return Key(
        key_id,
        Owner(owner, "service-account"),
        tuple(
            Resource(each, "kafka" if each.startswith("lkc-") else "schema-registry", "env-1")
            for each in clusters
        ),
        created_at=None if created is None else at(created),
    )


USAGE = known(
    {
        ("sa-busy", "lkc-a"): 200,
        ("sa-idle", "lkc-a"): 24,
        ("sa-busy", "lkc-b"): 1,
        ("sa-busy", "lkc-new"): 200,
    },
    {"lkc-a": (0, 200), "lkc-b": (0, 200), "lkc-silent": (0, 200), "lkc-new": (150, 200)},
)


def unused(*keys: Key, hours: float = 100) -> list[str]:
    return [each.id for each in unused_keys(keys, USAGE, hours * HOUR)]


@pytest.mark.parametrize(
    ("found", "one"),
    [
        (False, key("busy", "sa-busy", "lkc-a")),
        (True, key("idle", "sa-idle", "lkc-a")),
        (True, key("never seen", "sa-gone", "lkc-a")),
        (True, key("busy elsewhere", "sa-busy", "lkc-b")),
        (False, key("busy in one of two", "sa-busy", "lkc-b", "lkc-a")),
        (True, key("idle in both", "sa-idle", "lkc-a", "lkc-b")),
        (False, key("the cluster tells of nobody", "sa-idle", "lkc-silent")),
        (False, key("the cluster was never asked", "sa-idle", "lkc-unknown")),
        (False, key("known for 50 hours", "sa-idle", "lkc-new")),
        (False, key("another kind", "sa-idle", "lsrc-a")),
        (False, key("also another kind", "sa-idle", "lkc-a", "lsrc-a")),
        (False, key("no resource", "sa-idle")),
        (False, key("created 99 hours ago", "sa-idle", "lkc-a", created=101)),
        (True, key("created 100 hours ago", "sa-idle", "lkc-a", created=100)),
        (False, key("created at an unknown time", "sa-idle", "lkc-a", created=None)),
    ],
    ids=lambda value: value.id if isinstance(value, Key) else "",
)
def test_a_key_is_unused_if_all_of_its_clusters_say_so(one: Key, *, found: bool) -> None:
    assert unused(one) == ([one.id] if found else [])


def test_a_key_of_another_kind_with_the_id_of_a_cluster_is_not_evaluated() -> None:
    resource = Resource("lkc-a", "ksql", "env-1")
    owner = Owner("sa-idle", "service-account")
    other = Key("ksql", owner, (resource,), created_at=at(-100))
    assert unused(other) == []
    assert kafka_clusters([other]) == set()


def test_an_owner_is_idle_from_the_end_of_its_last_hour() -> None:
    idle = key("idle", "sa-idle", "lkc-a")
    assert unused(idle, hours=176) == ["idle"]
    assert unused(idle, hours=176.1) == []
    assert unused(idle, hours=200.1) == [], "longer than what is known"


def test_a_silent_cluster_is_not_evaluated() -> None:
    assert USAGE.evaluated == {"lkc-a", "lkc-b", "lkc-new"}
    assert USAGE.periods.keys() - USAGE.evaluated == {"lkc-silent"}
    assert USAGE.window_start == at(150)
    assert Usage().window_start is None


def answered(usage: Usage, start: float, end: float, **active: float) -> Usage:
    """Return ``usage`` with an answer about ``lkc-a``: the hours by owner."""
    return with_answer(
        usage,
        {"lkc-a": Period(at(start), at(end))},
        [Activity(f"sa-{owner}", "lkc-a", at(end)) for owner, end in active.items()],
    )


def test_an_answer_extends_the_known_period_and_never_forgets_activity() -> None:
    usage = answered(answered(Usage(), 0, 10, x=5), 5, 20, x=12)
    assert usage == known({("sa-x", "lkc-a"): 12}, {"lkc-a": (0, 12)}, {"lkc-a": 20})
    usage = answered(usage, 12, 30, x=20, y=25)
    active = {("sa-x", "lkc-a"): 20.0, ("sa-y", "lkc-a"): 25.0}
    assert usage == known(active, {"lkc-a": (0, 25)}, {"lkc-a": 30})
    late = answered(usage, 12, 30, x=20, y=25, z=14)
    assert late == known({**active, ("sa-z", "lkc-a"): 14.0}, {"lkc-a": (0, 25)}, {"lkc-a": 30})


def test_a_period_ends_with_the_newest_activity_of_anybody() -> None:
    usage = answered(answered(Usage(), 0, 10, x=5), 5, 20)
    assert usage == known({("sa-x", "lkc-a"): 5}, {"lkc-a": (0, 5)}, {"lkc-a": 20})


@pytest.mark.parametrize("active", [{}, {"y": 9}, {"x": 8, "y": 9}, {"x": 9, "z": 12}])
def test_an_answer_that_lacks_known_activity_extends_nothing(active: Mapping[str, float]) -> None:
    usage = answered(Usage(), 0, 10, x=9, y=9)
    after = answered(usage, 5, 20, **active)
    assert (after.periods, after.answered) == (usage.periods, usage.answered)
    assert after.last_active.items() >= usage.last_active.items()
    assert after.last_active.get(("sa-z", "lkc-a")) == (at(12) if "z" in active else None)


def test_activity_before_the_asked_time_is_not_missing() -> None:
    usage = answered(answered(Usage(), 0, 10, x=6, y=9), 6, 20, y=15)
    assert usage.periods == {"lkc-a": Period(at(0), at(15))}


def test_the_period_of_a_cluster_begins_when_it_is_asked_and_tells_of_somebody() -> None:
    silent = answered(answered(Usage(), 0, 10), 9, 20)
    assert silent == known({}, {"lkc-a": (0, 20)}, {"lkc-a": 20})
    usage = answered(silent, 15, 30, x=25)
    assert usage == known({("sa-x", "lkc-a"): 25}, {"lkc-a": (15, 25)}, {"lkc-a": 30})


def test_after_a_gap_the_period_begins_again() -> None:
    usage = answered(answered(Usage(), 0, 10, x=5), 6, 20, y=15)
    active = {("sa-x", "lkc-a"): 5.0, ("sa-y", "lkc-a"): 15.0}
    assert usage == known(active, {"lkc-a": (6, 15)}, {"lkc-a": 20})


def test_an_hour_that_is_not_over_ends_with_what_is_known() -> None:
    assert answered(Usage(), 0, 9.5, x=10).last_active == {("sa-x", "lkc-a"): at(9.5)}


def test_activity_in_a_cluster_that_was_not_asked_for_is_ignored() -> None:
    activity = [Activity("sa-x", "lkc-other", at(3))]
    assert with_answer(Usage(), {"lkc-a": Period(at(0), at(5))}, activity) == known(
        {}, {"lkc-a": (0, 5)}, {"lkc-a": 5}
    )


def test_only_the_clusters_of_the_keys_are_remembered() -> None:
    keys = [key("1", "sa-x", "lkc-a", "lsrc-a"), key("2", "sa-x", "lkc-b")]
    assert kafka_clusters(keys) == {"lkc-a", "lkc-b"}
    assert retain(USAGE, {"lkc-b"}) == known({("sa-busy", "lkc-b"): 1}, {"lkc-b": (0, 200)})


@pytest.mark.parametrize(
    ("before", "now", "start"),
    [
        (None, 200, 32),  # 7 days
        (None, 200.5, 33),  # the hour of which a part is forgotten is left out
        ((50, 199.5), 200.5, 176),  # the last day, from a full hour
        ((50, 176.6), 200.5, 176),
        ((50, 210), 200.5, 176),  # the clock was set back
        # The start is at 15:00 UTC. What is behind by a day or more begins at midnight.
        ((50, 176.5), 200.5, 129),
        ((50, 153), 200.5, 129),
        ((50, 152.9), 200.5, 105),
        ((50, 31), 200, 32),  # down for a week
        ((50, 36.5), 200.5, 33),
    ],
)
def test_the_next_period_overlaps_the_known_one_as_far_as_the_api_remembers(
    before: tuple[float, float] | None, now: float, start: float
) -> None:
    period = Period(at(before[0]), at(before[1])) if before else None
    asked = next_period(period, now=at(now), memory=7 * DAY, late=DAY)
    assert asked == Period(at(start), at(now))


def test_clusters_with_the_same_period_are_asked_together() -> None:
    new, old = Period(at(0), at(9)), Period(at(6), at(9))
    periods = {f"lkc-{number}": new if number == 3 else old for number in range(5)}
    assert batches(periods, size=2) == [
        {"lkc-3": new},
        {"lkc-0": old, "lkc-1": old},
        {"lkc-2": old, "lkc-4": old},
    ]


def test_what_two_sources_know_is_merged() -> None:
    older = Usage(
        {("sa-1", "lkc-a"): 5, ("sa-2", "lkc-b"): 9},
        {"lkc-a": Period(1, 10), "lkc-b": Period(1, 10)},
    )
    newer = Usage(
        {("sa-1", "lkc-a"): 15, ("sa-2", "lkc-b"): 7},
        {"lkc-a": Period(10, 20), "lkc-b": Period(11, 20), "lkc-c": Period(1, 2)},
    )
    expected = Usage(
        {("sa-1", "lkc-a"): 15, ("sa-2", "lkc-b"): 9},
        {"lkc-a": Period(1, 20), "lkc-b": Period(11, 20), "lkc-c": Period(1, 2)},
    )
    assert merged(older, newer) == expected
    assert merged(newer, older) == expected
