"""Which owners use which Kafka clusters, and which keys are unused."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from exporter.inventory.timestamps import plausible_creation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from exporter.inventory.keys import Key


_HOUR, _DAY = 3600.0, 86_400.0


class Period(NamedTuple):
    """A time without a gap in which activity is known, in Unix seconds."""

    start: float
    end: float


@dataclass(frozen=True)
class Usage:
    """What is known about the activity of owners. Times are Unix seconds."""

    last_active: Mapping[tuple[str, str], float] = field(
        default_factory=lambda: MappingProxyType({})
    )
    """By id of the owner and of the Kafka cluster: the end of the newest bucket with a request."""
    periods: Mapping[str, Period] = field(default_factory=lambda: MappingProxyType({}))
    """By id of the cluster: it ends with the newest bucket that told of any owner."""
    answered: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """By id of the cluster: the end of the latest answer that lacked no owner, even if empty."""

    @cached_property
    def evaluated(self) -> frozenset[str]:
        """The clusters that told of any owner. Silent ones may not report owners at all."""
        return frozenset(cluster for _, cluster in self.last_active if cluster in self.periods)

    @property
    def window_start(self) -> float | None:
        """Since when activity is known in every cluster; None before the first answer."""
        return max((period.start for period in self.periods.values()), default=None)


def unused_keys(keys: Iterable[Key], usage: Usage, unused_for: float) -> Sequence[Key]:
    """Return the keys whose owner made no request to any of their resources for ``unused_for`` s.

    All resources of such a key are Kafka clusters that tell of owners, and whose activity is known
    for at least that long. The key is at least that old. The time counts back from the end of what
    is known, so that an owner that has become active since is not called idle for longer.
    """
    evaluated = usage.evaluated
    since = {
        cluster: period.end - unused_for
        for cluster, period in usage.periods.items()
        if cluster in evaluated and period.start <= period.end - unused_for
    }

    def is_unused(key: Key) -> bool:
        created = plausible_creation(key.created_at, now=float("inf"))
        return (
            created is not None
            and bool(key.resources)
            and all(
                resource.kind == "kafka"
                and resource.id in since
                and created <= since[resource.id]
                and usage.last_active.get((key.owner.id, resource.id), 0.0) <= since[resource.id]
                for resource in key.resources
            )
        )

    return [key for key in keys if is_unused(key)]


class Activity(NamedTuple):
    """A bucket in which an owner made requests to a cluster. ``end``: in Unix seconds."""

    owner_id: str
    cluster_id: str
    end: float


def with_answer(usage: Usage, asked: Mapping[str, Period], activities: Iterable[Activity]) -> Usage:
    """Return ``usage`` with an answer about ``asked``: a period by cluster, from a full hour.

    A period ends with the newest activity of anybody, since data may be late. One that continues
    the known period without a gap extends it. Otherwise what was known before says nothing about
    the gap, and a new period begins. So it does when a cluster tells of somebody for the first
    time, because it may not have reported owners before.

    An answer that lacks known activity is incomplete: it adds activity, but extends nothing.
    """
    newest: dict[tuple[str, str], float] = {}
    ends: dict[str, float] = {}
    for owner_id, cluster, end in activities:
        if cluster in asked:
            newest[owner_id, cluster] = max(end, newest.get((owner_id, cluster), 0.0))
            ends[cluster] = max(end, ends.get(cluster, 0.0))
    incomplete = {
        at[1]
        for at, end in usage.last_active.items()
        if at[1] in asked and asked[at[1]].start < end and newest.get(at, 0.0) < end
    }
    evaluated = usage.evaluated
    periods, last_active = dict(usage.periods), dict(usage.last_active)
    for cluster in asked.keys() - incomplete:
        before, period = periods.get(cluster), asked[cluster]
        if cluster in ends:
            before = before if cluster in evaluated else None
            period = Period(period.start, min(ends[cluster], period.end))
        elif cluster in evaluated:
            continue
        if before is not None and period.start <= before.end:
            period = Period(before.start, max(period.end, before.end))
        periods[cluster] = period
    for at, end in newest.items():
        last_active[at] = max(min(end, asked[at[1]].end), last_active.get(at, 0.0))
    answered = {cluster: asked[cluster].end for cluster in asked.keys() - incomplete}
    return Usage(last_active, periods, {**usage.answered, **answered})


def retain(usage: Usage, clusters: Iterable[str]) -> Usage:
    """Return ``usage`` of ``clusters`` only."""
    kept = set(clusters)
    return Usage(
        {at: end for at, end in usage.last_active.items() if at[1] in kept},
        {cluster: period for cluster, period in usage.periods.items() if cluster in kept},
        {cluster: end for cluster, end in usage.answered.items() if cluster in kept},
    )


def without_future(usage: Usage, *, now: float) -> Usage:
    """Return ``usage`` without clusters with a time after ``now``, by more than an hour.

    The clock was wrong then, and nobody can have been active at that time.
    """
    future = {cluster for (_, cluster), end in usage.last_active.items() if end > now + _HOUR}
    future.update(cluster for cluster, at in usage.periods.items() if at.end > now + _HOUR)
    return retain(usage, usage.periods.keys() - future)


def merged(usage: Usage, other: Usage) -> Usage:
    """Return what both know. Of two periods of a cluster with a gap between them: the later."""
    periods = dict(usage.periods)
    for cluster, period in other.periods.items():
        earlier, later = sorted((period, periods.get(cluster, period)))
        is_joined = later.start <= earlier.end
        periods[cluster] = (
            Period(earlier.start, max(earlier.end, later.end)) if is_joined else later
        )
    last_active = dict(usage.last_active)
    for at, end in other.last_active.items():
        last_active[at] = max(end, last_active.get(at, 0.0))
    return Usage(last_active, periods, {**other.answered, **usage.answered})


def kafka_clusters(keys: Iterable[Key]) -> frozenset[str]:
    """Return the ids of the Kafka clusters that ``keys`` give access to."""
    return frozenset(
        resource.id
        for key in keys
        for resource in key.resources
        if resource.kind == "kafka" and resource.id
    )


def batches(periods: Mapping[str, Period], *, size: int) -> Sequence[Mapping[str, Period]]:
    """Return ``periods`` in groups of at most ``size`` clusters that have the same period."""
    by_period: defaultdict[Period, list[str]] = defaultdict(list)
    for cluster in sorted(periods):
        by_period[periods[cluster]].append(cluster)
    return [
        dict.fromkeys(clusters[at : at + size], period)
        for period, clusters in sorted(by_period.items())
        for at in range(0, len(clusters), size)
    ]


def next_period(before: Period | None, *, now: float, memory: float, late: float) -> Period:
    """Return the period to ask for next, which ends at the Unix time ``now``.

    It begins ``late`` seconds ago, since buckets may arrive late, and at most ``memory`` seconds
    ago. It begins at a full hour, as buckets do. If more than ``late`` seconds are missing, it
    begins before them, at midnight, so that one query can cover many such clusters.
    """
    earliest = -(-(now - memory) // _HOUR) * _HOUR  # without an hour of which a part is forgotten
    if before is None:
        start = earliest
    elif now - before.end < late:
        start = (now - late) // _HOUR * _HOUR
    else:
        start = (before.end - late) // _DAY * _DAY
    return Period(max(earliest, start), now)
