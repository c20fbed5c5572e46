"""How old the keys are, how long they have left, and which expire."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from heapq import nsmallest
from typing import TYPE_CHECKING

from exporter.inventory.policy import left_until_max_age
from exporter.inventory.timestamps import believable_creation, believable_expiry

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from exporter.inventory.keys import Key, Owner
    from exporter.inventory.policy import Rules

_DAY = 86_400.0
AGE_BOUNDS: tuple[float, ...] = tuple(days * _DAY for days in (1, 7, 30, 60, 90, 180, 365, 730))
"""Seconds, inclusive, as Prometheus' ``le``."""
REMAINING_BOUNDS: tuple[float, ...] = tuple(days * _DAY for days in (0, 7, 14, 30, 60, 90))
"""Seconds until a key passes ``max_age``; 0 for those that have."""


@dataclass(frozen=True)
class Histogram:
    """How many keys have a value up to each of some bounds, in seconds."""

    bounds: tuple[float, ...]
    buckets: tuple[int, ...]
    """Keys up to each of the bounds, cumulative."""
    count: int
    """All keys, also those beyond the last bound."""
    sum: float


def histogram_of(values: Iterable[float], bounds: tuple[float, ...]) -> Histogram:
    """Return the histogram of ``values``, in seconds."""
    ordered = sorted(values)
    buckets = tuple(bisect_right(ordered, bound) for bound in bounds)
    return Histogram(bounds, buckets, len(ordered), sum(ordered))


@dataclass(frozen=True)
class Ages:
    """What the timestamps of the keys say at one moment; what is not believable is left out."""

    histograms: Mapping[str, Histogram]
    """By kind of owner."""
    oldest: Mapping[Owner, float]
    """Unix time at which the owner's oldest key was created."""
    next_expiry: Mapping[Owner, float]
    """Unix time at which the owner's next key expires; owners without one are absent."""


def ages_of(keys: Iterable[Key], *, now: float) -> Ages:
    """Return the ages of ``keys`` at the Unix time ``now``; from the near future, the age is 0."""
    ages: defaultdict[str, list[float]] = defaultdict(list)
    oldest: dict[Owner, float] = {}
    next_expiry: dict[Owner, float] = {}
    for key in keys:
        owner = key.owner
        created = believable_creation(key.created_at, now=now)
        of_kind = ages[owner.kind]
        if created is not None:
            of_kind.append(max(0.0, now - created))
            if created < oldest.get(owner, now + 1e9):
                oldest[owner] = created
        if key.expires_at is None:
            continue
        expires = believable_expiry(key.expires_at, now=now)
        if expires is not None and now < expires < next_expiry.get(owner, now + 1e12):
            next_expiry[owner] = expires
    return Ages(_by_kind(ages, AGE_BOUNDS), oldest, next_expiry)


def remaining_of(keys: Iterable[Key], rules: Rules, *, now: float) -> Mapping[str, Histogram]:
    """Return how long the keys have left at the Unix time ``now`` until they break ``max_age``.

    By kind of owner, 0 for those that do; empty if the policy is off. Keys that the policy does not
    judge, or that are exempted, are left out, so that the first bucket holds its findings.
    """
    if rules.max_age is None:
        return {}
    judged = [key for key in keys if key.owner.kind != "internal"]
    remaining: dict[str, list[float]] = {key.owner.kind: [] for key in judged}
    if rules.has_exempt:
        judged = [key for key in judged if not rules.exempts(key)]
    for key, left in left_until_max_age(judged, rules.max_age, now=now):
        remaining[key.owner.kind].append(max(0.0, left))
    return _by_kind(remaining, REMAINING_BOUNDS)


def _by_kind(
    values: Mapping[str, Sequence[float]], bounds: tuple[float, ...]
) -> Mapping[str, Histogram]:
    return {kind: histogram_of(some, bounds) for kind, some in values.items()}


def oldest(keys: Iterable[Key], most: int, *, now: float) -> tuple[tuple[Key, float], ...]:
    """Return the ``most`` oldest of ``keys`` with their creation times, the oldest first."""
    dated = (
        (key, created)
        for key in keys
        if (created := believable_creation(key.created_at, now=now)) is not None
    )
    return tuple(nsmallest(most, dated, key=lambda each: (each[1], each[0].id)))
