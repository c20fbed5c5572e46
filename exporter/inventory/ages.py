"""Ages and expiries of keys.

The timestamps of the keys are sorted once (:class:`Dates`). Everything that depends on the current
time is then found by bisection, which is fast for any number of keys.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from heapq import merge
from itertools import islice
from math import inf
from operator import add, attrgetter, itemgetter
from typing import TYPE_CHECKING

from exporter.inventory.timestamps import (
    CLOCK_SKEW,
    LONGEST_LIFE,
    plausible_creation,
    plausible_expiry,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from exporter.inventory.keys import Key, Owner

_DAY = 86_400.0
AGE_BOUNDS: tuple[float, ...] = tuple(days * _DAY for days in (1, 7, 30, 60, 90, 180, 365, 730))
"""Seconds, inclusive, as Prometheus' ``le``."""
REMAINING_BOUNDS: tuple[float, ...] = tuple(days * _DAY for days in (0, 7, 14, 30, 60, 90))
"""Seconds until a key exceeds ``max_age``; 0 for keys that already have."""


@dataclass(frozen=True)
class Histogram:
    """Number of keys with a value up to each bound, in seconds."""

    bounds: tuple[float, ...]
    buckets: tuple[int, ...]
    """Keys up to each of the bounds, cumulative."""
    count: int
    """All keys, including those above the last bound."""
    sum: float

    def plus(self, other: Histogram) -> Histogram:
        """Return the histogram of the keys of both, which have the same bounds."""
        buckets = map(add, self.buckets, other.buckets)
        return Histogram(
            self.bounds, tuple(buckets), self.count + other.count, self.sum + other.sum
        )


@dataclass(frozen=True, eq=False)
class Timeline:
    """The keys of one kind of owner, sorted by creation time and id, oldest first.

    Excludes keys whose creation time was implausible when the timeline was made.
    """

    keys: Sequence[Key]
    times: Sequence[float]
    """Creation times of ``keys`` in Unix seconds."""

    def created_by(self, now: float) -> int:
        """Return the number of keys with a plausible creation time at the Unix time ``now``."""
        return bisect_right(self.times, now + CLOCK_SKEW)

    def older_than(self, age: float, *, now: float) -> Sequence[Key]:
        """Return the keys older than ``age`` seconds at the Unix time ``now``."""
        return self.keys[: bisect_left(self.times, 0.0, key=lambda at: at + age - now)]

    def created_between(self, after: float, now: float) -> Iterable[tuple[Key, float]]:
        """Return the keys created after ``after`` and until ``now``, with their Unix times."""
        young = slice(bisect_right(self.times, after), self.created_by(now))
        return zip(self.keys[young], self.times[young], strict=True)

    def ages(self, *, now: float) -> Histogram:
        """Return the ages at the Unix time ``now``, 0 for keys from the near future."""
        times, count = self.times, self.created_by(now)
        buckets = tuple(
            count - bisect_left(times, -bound, hi=count, key=lambda at: at - now)
            for bound in AGE_BOUNDS
        )
        past = islice(times, bisect_right(times, now, hi=count))
        return Histogram(AGE_BOUNDS, buckets, count, sum(now - at for at in past))

    def remaining(self, age: float, *, now: float) -> Histogram:
        """Return the time from the Unix time ``now`` until the keys reach ``age`` seconds."""
        times, count = self.times, self.created_by(now)

        def left(at: float) -> float:
            return at + age - now

        buckets = tuple(bisect_right(times, each, hi=count, key=left) for each in REMAINING_BOUNDS)
        total = sum(left(at) for at in islice(times, buckets[0], count))
        return Histogram(REMAINING_BOUNDS, buckets, count, total)


@dataclass(frozen=True, eq=False)
class Dates:
    """The timestamps of keys, sorted; independent of the current time."""

    created: Mapping[str, Timeline]
    """By kind of owner, for every kind with a key."""
    expiring: Sequence[tuple[float, Key]]
    """Expiring keys with their expiry in Unix seconds, soonest first."""

    def without(self, kind: str) -> Dates:
        """Return the dates without the keys of one kind of owner."""
        return Dates(
            {each: timeline for each, timeline in self.created.items() if each != kind},
            tuple((at, key) for at, key in self.expiring if key.owner.kind != kind),
        )

    @cached_property
    def oldest(self) -> Mapping[Owner, float]:
        """Creation time of the oldest key of each owner, in Unix seconds."""
        return {
            key.owner: at
            for timeline in self.created.values()
            for key, at in zip(reversed(timeline.keys), reversed(timeline.times), strict=True)
        }

    def expiring_between(self, after: float, until: float) -> Sequence[tuple[float, Key]]:
        """Return the keys that expire after ``after`` and until ``until``, in Unix seconds."""
        begin, end = (bisect_right(self.expiring, at, key=itemgetter(0)) for at in (after, until))
        return self.expiring[begin:end]


def dates_of(keys: Iterable[Key], *, now: float) -> Dates:
    """Return the dates of ``keys``, which are :func:`sorted_by_creation` for the same ``now``."""
    kinds: defaultdict[str, list[Key]] = defaultdict(list)
    expiring: list[tuple[float, Key]] = []
    for key in keys:
        kinds[key.owner.kind].append(key)
        if key.expires_at is not None:
            expires = plausible_expiry(key.expires_at, now=inf)
            if expires is not None:
                expiring.append((expires, key))
    return Dates(
        {kind: _timeline(of_kind, now=now) for kind, of_kind in kinds.items()},
        tuple(sorted(expiring, key=itemgetter(0))),
    )


def _timeline(keys: Sequence[Key], *, now: float) -> Timeline:
    times = [plausible_creation(key.created_at, now=now) for key in keys]
    unknown = times.count(None)
    return Timeline(tuple(keys[unknown:]), tuple(at for at in times if at is not None))


def sorted_by_creation(keys: Iterable[Key], *, now: float) -> list[Key]:
    """Return ``keys`` sorted by creation time and id, oldest first.

    Keys with an implausible creation time at the Unix time ``now`` come first.
    """

    def creation(key: Key) -> float:
        return plausible_creation(key.created_at, now=now) or 0.0

    return sorted(sorted(keys, key=attrgetter("id")), key=creation)


@dataclass(frozen=True)
class Ages:
    """Ages of keys at one time, without implausible timestamps."""

    histograms: Mapping[str, Histogram]
    """By kind of owner."""
    oldest: Mapping[Owner, float]
    """Creation time of the owner's oldest key, in Unix seconds."""
    next_expiry: Mapping[Owner, float]
    """Expiry of the owner's next key in Unix seconds. Owners without one are absent."""


def ages_of(dates: Dates, *, now: float) -> Ages:
    """Return the ages at the Unix time ``now``."""
    oldest = {owner: at for owner, at in dates.oldest.items() if at <= now + CLOCK_SKEW}
    next_expiry: dict[Owner, float] = {}
    for at, key in dates.expiring_between(now, now + LONGEST_LIFE):
        next_expiry.setdefault(key.owner, at)
    histograms = {kind: timeline.ages(now=now) for kind, timeline in dates.created.items()}
    return Ages(histograms, oldest, next_expiry)


def oldest_keys(dates: Dates, most: int, *, now: float) -> tuple[tuple[Key, float], ...]:
    """Return the ``most`` oldest keys with their creation times, oldest first."""
    heads = [
        zip(timeline.keys[: min(most, timeline.created_by(now))], timeline.times, strict=False)
        for timeline in dates.created.values()
    ]
    return tuple(islice(merge(*heads, key=lambda each: (each[1], each[0].id)), most))


def youngest(dates: Dates, age: float, *, now: float) -> list[tuple[Key, float]]:
    """Return the keys younger than ``age`` seconds, with their creation times, newest first."""
    young = [
        pair
        for timeline in dates.created.values()
        for pair in timeline.created_between(now - age, now)
    ]
    return sorted(young, key=lambda each: (-each[1], each[0].id))
