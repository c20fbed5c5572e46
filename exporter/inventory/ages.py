"""How old the keys are, how long they have left, and which expire."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from heapq import nsmallest
from itertools import accumulate
from typing import TYPE_CHECKING

from exporter.inventory.timestamps import believable_creation, believable_expiry

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.inventory.keys import Key, Owner
    from exporter.inventory.policy import Rules

_DAY = 86_400.0
AGE_BOUNDS: tuple[float, ...] = tuple(days * _DAY for days in (1, 7, 30, 60, 90, 180, 365, 730))
"""Seconds, inclusive, as Prometheus' ``le``."""
REMAINING_BOUNDS: tuple[float, ...] = tuple(days * _DAY for days in (0, 7, 14, 30, 60, 90))
"""Seconds until a key passes ``max_age``; 0 for those that have."""


class Histogram:
    """How many keys have a value up to each of ``bounds``, in seconds."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.sum = 0.0
        self._counts = [0] * (len(bounds) + 1)

    def add(self, value: float) -> None:
        """Count one more key."""
        self._counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    @property
    def count(self) -> int:
        """All keys that were counted."""
        return sum(self._counts)

    @property
    def buckets(self) -> list[int]:
        """Keys up to each of the bounds, cumulative."""
        return list(accumulate(self._counts[:-1]))


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
    histograms: dict[str, Histogram] = {}
    oldest: dict[Owner, float] = {}
    next_expiry: dict[Owner, float] = {}
    for key in keys:
        owner = key.owner
        created = believable_creation(key.created_at, now=now)
        histogram = histograms.get(owner.kind)
        if histogram is None:
            histogram = histograms[owner.kind] = Histogram(AGE_BOUNDS)
        if created is not None:
            histogram.add(max(0.0, now - created))
            if created < oldest.get(owner, now + 1e9):
                oldest[owner] = created
        expires = believable_expiry(key.expires_at, now=now)
        if expires is not None and now < expires < next_expiry.get(owner, now + 1e12):
            next_expiry[owner] = expires
    return Ages(histograms, oldest, next_expiry)


def remaining_of(keys: Iterable[Key], rules: Rules, *, now: float) -> Mapping[str, Histogram]:
    """Return how long the keys have left at the Unix time ``now`` until they break ``max_age``.

    By kind of owner; empty if the policy is off. Keys that the policy does not judge, or that are
    exempted, are left out, so that the first bucket holds the findings of the policy.
    """
    histograms: dict[str, Histogram] = {}
    if rules.max_age is None:
        return histograms
    for key in keys:
        kind = key.owner.kind
        if kind == "internal":
            continue
        histogram = histograms.get(kind)
        if histogram is None:
            histogram = histograms[kind] = Histogram(REMAINING_BOUNDS)
        created = believable_creation(key.created_at, now=now)
        if created is not None and not rules.exempts(key):
            histogram.add(max(0.0, created + rules.max_age - now))
    return histograms


def oldest(keys: Iterable[Key], most: int, *, now: float) -> tuple[tuple[Key, float], ...]:
    """Return the ``most`` oldest of ``keys`` with their creation times, the oldest first."""
    dated = (
        (key, created)
        for key in keys
        if (created := believable_creation(key.created_at, now=now)) is not None
    )
    return tuple(nsmallest(most, dated, key=lambda each: (each[1], each[0].id)))
