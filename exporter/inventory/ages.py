"""How old the keys are, how long they have left, and which expire.

What the keys say of their times is put in order once (:class:`Dates`); what it means at a moment is
then read off by bisection, however many keys there are.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from heapq import merge
from itertools import islice
from math import inf
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING

from exporter.inventory.timestamps import (
    CLOCK_SKEW,
    LONGEST_LIFE,
    believable_creation,
    believable_expiry,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from exporter.inventory.keys import Key, Owner

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


@dataclass(frozen=True, eq=False)
class Timeline:
    """The keys of one kind of owner by their creation, the oldest first; ties go by id.

    Without those whose creation time could not be believed when it was made.
    """

    keys: Sequence[Key]
    times: Sequence[float]
    """Unix seconds, of each of ``keys``."""

    def created_by(self, now: float) -> int:
        """Return how many of the keys can have been created by the Unix time ``now``."""
        return bisect_right(self.times, now + CLOCK_SKEW)

    def older_than(self, age: float, *, now: float) -> Sequence[Key]:
        """Return the keys that are older than ``age`` seconds at the Unix time ``now``."""
        return self.keys[: bisect_left(self.times, 0.0, key=lambda at: at + age - now)]

    def created_between(self, after: float, now: float) -> Iterable[tuple[Key, float]]:
        """Return the keys created after the Unix time ``after`` and by ``now``, with the time."""
        young = slice(bisect_right(self.times, after), self.created_by(now))
        return zip(self.keys[young], self.times[young], strict=True)

    def ages(self, *, now: float) -> Histogram:
        """Return how old the keys are at the Unix time ``now``; from the near future, it is 0."""
        times, count = self.times, self.created_by(now)
        buckets = tuple(
            count - bisect_left(times, -bound, hi=count, key=lambda at: at - now)
            for bound in AGE_BOUNDS
        )
        past = islice(times, bisect_right(times, now, hi=count))
        return Histogram(AGE_BOUNDS, buckets, count, sum(now - at for at in past))

    def remaining(self, age: float, *, now: float) -> Histogram:
        """Return how long it is from the Unix time ``now`` until the keys have that ``age``."""
        times, count = self.times, self.created_by(now)

        def left(at: float) -> float:
            return at + age - now

        buckets = tuple(bisect_right(times, each, hi=count, key=left) for each in REMAINING_BOUNDS)
        total = sum(left(at) for at in islice(times, buckets[0], count))
        return Histogram(REMAINING_BOUNDS, buckets, count, total)


@dataclass(frozen=True, eq=False)
class Dates:
    """What keys say of their times: the same at any moment."""

    created: Mapping[str, Timeline]
    """By kind of owner; of every kind that has a key."""
    expiring: Sequence[tuple[float, Key]]
    """The keys that expire with the Unix time of it, the soonest first."""

    def without(self, kind: str) -> Dates:
        """Return the dates of the keys of all other kinds of owners."""
        return Dates(
            {each: timeline for each, timeline in self.created.items() if each != kind},
            tuple((at, key) for at, key in self.expiring if key.owner.kind != kind),
        )

    @cached_property
    def first(self) -> Mapping[Owner, float]:
        """The Unix time at which the oldest key of each owner was created."""
        return {
            key.owner: at
            for timeline in self.created.values()
            for key, at in zip(reversed(timeline.keys), reversed(timeline.times), strict=True)
        }

    def expiring_between(self, after: float, until: float) -> Sequence[tuple[float, Key]]:
        """Return those of ``expiring`` whose time is in between, ``until`` included."""
        begin, end = (bisect_right(self.expiring, at, key=itemgetter(0)) for at in (after, until))
        return self.expiring[begin:end]


def dates_of(keys: Iterable[Key], *, now: float) -> Dates:
    """Return the dates of ``keys``, which are in the order of :func:`in_order` at that time."""
    kinds: defaultdict[str, list[Key]] = defaultdict(list)
    expiring: list[tuple[float, Key]] = []
    for key in keys:
        kinds[key.owner.kind].append(key)
        if key.expires_at is not None:
            expires = believable_expiry(key.expires_at, now=inf)
            if expires is not None:
                expiring.append((expires, key))
    return Dates(
        {kind: _timeline(of_kind, now=now) for kind, of_kind in kinds.items()},
        tuple(sorted(expiring, key=itemgetter(0))),
    )


def _timeline(keys: Sequence[Key], *, now: float) -> Timeline:
    times = [believable_creation(key.created_at, now=now) for key in keys]
    unknown = times.count(None)
    return Timeline(tuple(keys[unknown:]), tuple(at for at in times if at is not None))


def in_order(keys: Iterable[Key], *, now: float) -> list[Key]:
    """Return ``keys`` by their creation, the oldest first; ties go by id.

    Those whose creation time cannot be believed at the Unix time ``now`` come before all others.
    """

    def creation(key: Key) -> float:
        return believable_creation(key.created_at, now=now) or 0.0

    return sorted(sorted(keys, key=attrgetter("id")), key=creation)


@dataclass(frozen=True)
class Ages:
    """What the timestamps of the keys say at one moment; what is not believable is left out."""

    histograms: Mapping[str, Histogram]
    """By kind of owner."""
    oldest: Mapping[Owner, float]
    """Unix time at which the owner's oldest key was created."""
    next_expiry: Mapping[Owner, float]
    """Unix time at which the owner's next key expires; owners without one are absent."""


def ages_of(dates: Dates, *, now: float) -> Ages:
    """Return the ages that the ``dates`` are at the Unix time ``now``."""
    oldest = {owner: at for owner, at in dates.first.items() if at <= now + CLOCK_SKEW}
    next_expiry: dict[Owner, float] = {}
    for at, key in dates.expiring_between(now, now + LONGEST_LIFE):
        next_expiry.setdefault(key.owner, at)
    histograms = {kind: timeline.ages(now=now) for kind, timeline in dates.created.items()}
    return Ages(histograms, oldest, next_expiry)


def oldest(dates: Dates, most: int, *, now: float) -> tuple[tuple[Key, float], ...]:
    """Return the ``most`` oldest keys with their creation times, the oldest first."""
    heads = [
        zip(timeline.keys[: min(most, timeline.created_by(now))], timeline.times, strict=False)
        for timeline in dates.created.values()
    ]
    return tuple(islice(merge(*heads, key=lambda each: (each[1], each[0].id)), most))


def youngest(dates: Dates, age: float, *, now: float) -> list[tuple[Key, float]]:
    """Return the keys younger than ``age`` seconds at the Unix time ``now``, with their creation.

    The newest first.
    """
    young = [
        pair
        for timeline in dates.created.values()
        for pair in timeline.created_between(now - age, now)
    ]
    return sorted(young, key=lambda each: (-each[1], each[0].id))
