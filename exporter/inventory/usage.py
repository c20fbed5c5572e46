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
    """By id of the cluster: it ends with the latest answer that told of any owner."""
    answered: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """By id of the cluster: the end of the latest answer about it, even if that was empty."""

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
    """Return ``usage`` with the complete answer about ``asked``: a period by cluster.

    A period that continues the known one without a gap extends it; otherwise what was known before
    says nothing about the gap, and a new period begins. An answer that tells of nobody in a cluster
    that told of somebody before may be incomplete. It ends nothing and extends nothing: the same
    time is asked for again.
    """
    activities = [each for each in activities if each.cluster_id in asked]
    told = {each.cluster_id for each in activities}
    evaluated = usage.evaluated
    periods = dict(usage.periods)
    for cluster, period in asked.items():
        if cluster in evaluated and cluster not in told:
            continue
        before = periods.get(cluster)
        continues = before is not None and period.start <= before.end
        start = before.start if before is not None and continues else period.start
        periods[cluster] = Period(start, max(period.end, before.end if before else period.end))
    last_active = dict(usage.last_active)
    for owner_id, cluster_id, end in activities:
        at = owner_id, cluster_id
        last_active[at] = max(min(end, asked[cluster_id].end), last_active.get(at, 0.0))
    answered = {cluster: period.end for cluster, period in asked.items()}
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
    """Return ``usage`` without clusters whose period ends after ``now``, more than an hour later.

    The clock was wrong then, and nobody can have been active at that time.
    """
    return retain(usage, [each for each, at in usage.periods.items() if at.end <= now + _HOUR])


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

    It begins ``late`` seconds before the known end, since buckets may arrive late, and at most
    ``memory`` seconds ago. It begins at a full hour, as buckets do. If more than a few hours are
    missing, it begins at midnight, so that one query can cover many such clusters.
    """
    earliest = -(-(now - memory) // _HOUR) * _HOUR  # without an hour of which a part is forgotten
    if before is None:
        return Period(earliest, now)
    is_behind = now - before.end > late
    unit = _DAY if is_behind else _HOUR
    return Period(max(earliest, (before.end - late) // unit * unit), now)
