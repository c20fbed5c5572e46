from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from exporter.inventory import AGE_BOUNDS, Directory, Key, Owner, Resource, Rules, Usage
from exporter.inventory.ages import Ages, Histogram, dates_of, sorted_by_creation
from exporter.inventory.ages import ages_of as ages_of_dates
from exporter.inventory.findings import PolicyInputs, findings_at, policy_inputs_of, remaining_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NOW = 1_790_000_000.0
DAY = 86_400.0
ANN, BOB = Owner("sa-ann", "service-account"), Owner("u-bob", "user")
CLOUD = (Resource("cloud", "cloud", ""),)


def key(key_id: str, owner: Owner = ANN, **times: float | None) -> Key:
    return Key(key_id, owner, CLOUD, **times)  # type: ignore[arg-type]


def ages_of(keys: Iterable[Key], *, now: float) -> Ages:
    return ages_of_dates(dates_of(sorted_by_creation(keys, now=now), now=now), now=now)


def policy_inputs(keys: Iterable[Key], rules: Rules) -> PolicyInputs:
    ordered = sorted_by_creation(keys, now=NOW)
    dates = dates_of(ordered, now=NOW)
    return policy_inputs_of(ordered, dates, rules, directory=Directory(), usage=Usage(), now=NOW)


def remaining_of(keys: Iterable[Key], rules: Rules, *, now: float) -> Mapping[str, Histogram]:
    return remaining_at(policy_inputs(keys, rules), now=now)


def test_each_bucket_counts_keys_up_to_its_bound() -> None:
    ages = [0, DAY, DAY + 1, 7 * DAY, 89 * DAY, 90 * DAY, 91 * DAY, 729 * DAY, 731 * DAY]
    keys = [key(str(age), created_at=NOW - age) for age in ages]
    histogram = ages_of(keys, now=NOW).histograms["service-account"]
    #                             1  7  30 60 90 180 365 730 days
    assert histogram.buckets == (2, 4, 4, 4, 6, 7, 7, 8)
    assert histogram.count == 9
    assert histogram.sum == sum(ages)


def test_each_kind_of_owner_has_a_histogram_even_without_a_plausible_time() -> None:
    keys = [key("A", created_at=NOW - DAY), key("B", BOB), key("C", BOB, created_at=0.0)]
    histograms = ages_of(keys, now=NOW).histograms
    assert (histograms["service-account"].count, histograms["user"].count) == (1, 0)


def test_a_key_from_the_near_future_is_new() -> None:
    histogram = ages_of([key("A", created_at=NOW + 200)], now=NOW).histograms["service-account"]
    assert (histogram.count, histogram.sum, histogram.buckets[0]) == (1, 0, 1)


def test_the_oldest_key_and_the_next_expiry_of_each_owner() -> None:
    keys = [
        key("A", created_at=NOW - 5 * DAY, expires_at=NOW + 9 * DAY),
        key("B", created_at=NOW - 8 * DAY, expires_at=NOW + 3 * DAY),
        key("C", created_at=0.0, expires_at=NOW - 1),  # an absurd creation, and expired already
        key("D", BOB, created_at=NOW - 1),
        key("E", BOB, expires_at=NOW),
    ]
    ages = ages_of(keys, now=NOW)
    assert ages.oldest == {ANN: NOW - 8 * DAY, BOB: NOW - 1}
    assert ages.next_expiry == {ANN: NOW + 3 * DAY}


@given(st.lists(st.one_of(st.none(), st.floats(-1e11, 1e12))))
def test_only_keys_with_a_plausible_time_are_counted(times: list[float | None]) -> None:
    keys = [key(str(number), created_at=at) for number, at in enumerate(times)]
    histogram = ages_of(keys, now=NOW).histograms.get("service-account")
    usable = sum(at is not None and 1_388_534_400 <= at <= NOW + 300 for at in times)
    assert (histogram.count if histogram else 0) == usable
    if histogram:
        assert list(histogram.buckets) == sorted(histogram.buckets)
        assert histogram.buckets[-1] <= histogram.count
        assert len(histogram.buckets) == len(AGE_BOUNDS)


RULES = Rules(max_age=90 * DAY, exempt_api_keys=("EXEMPT",))


def test_the_remaining_time_is_counted_up_to_each_bound() -> None:
    ages = [0, 29, 31, 59, 61, 75, 77, 82, 84, 89, 90, 91, 700]
    keys = [key(str(age), created_at=NOW - age * DAY) for age in ages]
    histogram = remaining_of(keys, RULES, now=NOW)["service-account"]
    #                     in 0  7  14  30  60  90 days
    assert histogram.buckets == (3, 5, 7, 9, 11, 13)
    assert histogram.count == 13
    assert histogram.sum == sum((90 - age) * DAY for age in ages if age < 90)


def test_the_remaining_time_excludes_exempt_keys_and_keys_without_an_owner() -> None:
    keys = [
        key("EXEMPT", created_at=NOW - 99 * DAY),
        key("provider", Owner("", "internal"), created_at=NOW - 99 * DAY),
        key("absurd", created_at=0.0),
        key("bob", BOB, created_at=NOW - 85 * DAY),
    ]
    found = remaining_of(keys, RULES, now=NOW)
    assert found.keys() == {"service-account", "user"}
    assert (found["service-account"].count, found["user"].count) == (0, 1)


def test_without_the_policy_there_is_no_remaining_time() -> None:
    assert remaining_of([key("A", created_at=NOW)], Rules(), now=NOW) == {}


@given(st.lists(st.floats(NOW - 200 * DAY, NOW)), st.integers(1, 200))
def test_keys_without_remaining_time_are_the_findings(times: list[float], days: int) -> None:
    keys = [key(str(number), created_at=at) for number, at in enumerate(times)]
    rules = Rules(max_age=days * DAY + 0.5)
    findings = findings_at(policy_inputs(keys, rules), now=NOW).by_owner
    found = remaining_at(policy_inputs(keys, rules), now=NOW).get("service-account")
    at_the_limit = sum(NOW - at == rules.max_age for at in times)
    assert (found.buckets[0] if found else 0) == findings.get(("max_age", ANN), 0) + at_the_limit
