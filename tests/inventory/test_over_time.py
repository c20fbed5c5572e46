"""Compares inventories at any time with the definitions, applied to each key."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from exporter.inventory import (
    AGE_BOUNDS,
    Directory,
    FoldSettings,
    Inventory,
    Key,
    Owner,
    Resource,
    Rules,
    at_time,
    fold,
)

NOW = 1_790_000_000.0
DAY = 86_400.0
FOUNDED = 1_388_534_400.0  # 2014-01-01
OWNERS = (
    Owner("sa-ann", "service-account"),
    Owner("sa-ben", "service-account"),
    Owner("u-ada", "user"),
    Owner("", "internal"),
)
RESOURCES = (Resource("lkc-1", "kafka", "env-1"), Resource("cloud", "cloud", ""))
RULES = Rules(
    max_age=90 * DAY,
    expires_within=14 * DAY,
    expired=True,
    max_keys_per_owner_and_resource=1,
    user_owned=True,
    undescribed=True,
    exempt_owners=("sa-ben",),
    exempt_api_keys=("7",),
)

# Whole hours make ties likely, and times that are exactly at a bound.
_TIMES = st.one_of(
    st.none(),
    st.integers(-100 * 24, 3).map(lambda hours: NOW + hours * 3600.0),
    st.floats(NOW - 3 * 365 * DAY, NOW + 30 * DAY),
    st.sampled_from([0.0, FOUNDED - 1, FOUNDED, 1e12]),
)
_KEYS = st.lists(
    st.builds(
        Key,
        st.integers(0, 99).map(str),
        st.sampled_from(OWNERS),
        st.sampled_from([RESOURCES[:1], RESOURCES[1:], RESOURCES]),
        _TIMES,
        _TIMES,
        st.booleans(),
    ),
    unique_by=lambda key: key.id,
    max_size=30,
)
_MOMENTS = st.one_of(st.just(NOW), st.floats(NOW - 40 * DAY, NOW + 120 * DAY))


def inventory_of(keys: list[Key], *, now: float) -> Inventory:
    return fold(keys, FoldSettings(100, RULES), now=now, directory=Directory())


def created(key: Key, now: float) -> float | None:
    at = key.created_at
    return at if at is not None and FOUNDED <= at <= now + 300 else None


def expires(key: Key, now: float) -> float | None:
    at = key.expires_at
    return at if at is not None and FOUNDED <= at <= now + 100 * 365 * DAY else None


def broken(key: Key, now: float) -> set[str]:
    """Return the policies that depend on the time and that ``key`` breaks."""
    since, until = created(key, now), expires(key, now)
    found = set()
    if since is not None and since + 90 * DAY - now < 0:
        found.add("max_age")
    if until is not None and until <= now:
        found.add("expired")
    if until is not None and now < until <= now + 14 * DAY:
        found.add("expires_within")
    return found if key.owner.kind != "internal" else set()


@given(_KEYS, _MOMENTS)
def test_ages_and_remaining_times_equal_those_of_each_key(keys: list[Key], now: float) -> None:
    inventory = inventory_of(keys, now=now)
    assert inventory.ages.histograms.keys() == {key.owner.kind for key in keys}
    for kind, histogram in inventory.ages.histograms.items():
        times = [at for key in keys if key.owner.kind == kind if (at := created(key, now))]
        ages = [max(0.0, now - at) for at in times]
        assert histogram.buckets == tuple(sum(age <= le for age in ages) for le in AGE_BOUNDS)
        assert histogram.count == len(ages)
        assert histogram.sum == pytest.approx(sum(ages))
    evaluated = [key for key in keys if key.owner.kind != "internal"]
    assert inventory.remaining.keys() == {key.owner.kind for key in evaluated}
    for kind, histogram in inventory.remaining.items():
        times = [
            at
            for key in evaluated
            if key.owner.kind == kind and key.owner.id != "sa-ben" and key.id != "7"
            if (at := created(key, now))
        ]
        left = [max(0.0, at + 90 * DAY - now) for at in times]
        bounds = [days * DAY for days in (0, 7, 14, 30, 60, 90)]
        assert histogram.buckets == tuple(sum(each <= le for each in left) for le in bounds)
        assert histogram.count == len(left)
        assert histogram.sum == pytest.approx(sum(left))


@given(_KEYS, _MOMENTS)
def test_the_oldest_and_the_next_expiring_key_of_each_owner(keys: list[Key], now: float) -> None:
    inventory = inventory_of(keys, now=now)
    for owner in OWNERS:
        own = [key for key in keys if key.owner == owner]
        since = [at for key in own if (at := created(key, now))]
        until = [at for key in own if (at := expires(key, now)) and at > now]
        assert inventory.ages.oldest.get(owner) == min(since, default=None)
        assert inventory.ages.next_expiry.get(owner) == min(until, default=None)
    dated = [(at, key.id) for key in keys if (at := created(key, now))]
    found = [(at, key.id) for key, at in inventory.oldest_keys]
    assert found == sorted(dated)[:5]


@given(_KEYS, _MOMENTS)
def test_time_dependent_findings_are_counted_by_owner(keys: list[Key], now: float) -> None:
    inventory = inventory_of(keys, now=now)
    policies = ("max_age", "expires_within", "expired")
    exempt = [key for key in keys if key.owner.id == "sa-ben" or key.id == "7"]
    findings = Counter(
        (p, key.owner) for key in keys if key not in exempt for p in broken(key, now)
    )
    exempted = Counter(policy for key in exempt for policy in broken(key, now))
    counted = inventory.findings.by_owner
    assert {at: n for at, n in counted.items() if at[0] in policies} == dict(findings)
    silenced = inventory.findings.exempted
    assert {p: n for p, n in silenced.items() if p in policies} == dict(exempted)


@given(_KEYS, _MOMENTS, _MOMENTS)
def test_an_inventory_at_a_later_time_equals_a_new_one(
    keys: list[Key], before: float, now: float
) -> None:
    old, new = inventory_of(keys, now=before), inventory_of(keys, now=now)
    assume(before <= now < old.valid_until)
    moved = at_time(old, now=now)
    for field in Inventory.__dataclass_fields__:
        if field not in {"dates", "policy_inputs"}:
            assert getattr(moved, field) == getattr(new, field), field


@given(_KEYS, _MOMENTS)
def test_the_order_of_the_listing_does_not_matter(keys: list[Key], now: float) -> None:
    one, other = inventory_of(keys, now=now), inventory_of(keys[::-1], now=now)
    assert one.findings.by_owner == other.findings.by_owner
    assert one.oldest_keys == other.oldest_keys
    assert one.ages.next_expiry == other.ages.next_expiry
