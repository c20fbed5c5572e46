"""How old the keys are, and which expire."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from heapq import nsmallest
from typing import TYPE_CHECKING

from exporter.inventory.timestamps import believable_creation, believable_expiry

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.inventory.keys import Key, Owner

_DAY = 86_400.0
AGE_BOUNDS: tuple[float, ...] = tuple(days * _DAY for days in (1, 7, 30, 60, 90, 180, 365, 730))
"""Seconds, inclusive, as Prometheus' ``le``."""


@dataclass
class AgeHistogram:
    """Ages of some keys, in seconds."""

    buckets: list[int]
    """Keys up to each of :data:`AGE_BOUNDS`, cumulative."""
    count: int = 0
    sum: float = 0.0


@dataclass(frozen=True)
class Ages:
    """What the timestamps of the keys say at one moment; what is not believable is left out."""

    histograms: Mapping[str, AgeHistogram]
    """By kind of owner."""
    oldest: Mapping[Owner, float]
    """Unix time at which the owner's oldest key was created."""
    next_expiry: Mapping[Owner, float]
    """Unix time at which the owner's next key expires; owners without one are absent."""


def ages_of(keys: Iterable[Key], *, now: float) -> Ages:
    """Return the ages of ``keys`` at the Unix time ``now``; from the near future, the age is 0."""
    histograms: dict[str, AgeHistogram] = {}
    oldest: dict[Owner, float] = {}
    next_expiry: dict[Owner, float] = {}
    for key in keys:
        owner = key.owner
        created = believable_creation(key.created_at, now=now)
        histogram = histograms.get(owner.kind)
        if histogram is None:
            histogram = histograms[owner.kind] = AgeHistogram([0] * len(AGE_BOUNDS))
        if created is not None:
            age = max(0.0, now - created)
            bucket = bisect_left(AGE_BOUNDS, age)
            if bucket < len(AGE_BOUNDS):
                histogram.buckets[bucket] += 1
            histogram.count += 1
            histogram.sum += age
            if created < oldest.get(owner, now + 1e9):
                oldest[owner] = created
        expires = believable_expiry(key.expires_at, now=now)
        if expires is not None and now < expires < next_expiry.get(owner, now + 1e12):
            next_expiry[owner] = expires
    for histogram in histograms.values():
        for index in range(1, len(AGE_BOUNDS)):
            histogram.buckets[index] += histogram.buckets[index - 1]
    return Ages(histograms, oldest, next_expiry)


def oldest(keys: Iterable[Key], most: int, *, now: float) -> tuple[tuple[Key, float], ...]:
    """Return the ``most`` oldest of ``keys`` with their creation times, the oldest first."""
    dated = (
        (key, created)
        for key in keys
        if (created := believable_creation(key.created_at, now=now)) is not None
    )
    return tuple(nsmallest(most, dated, key=lambda each: (each[1], each[0].id)))
