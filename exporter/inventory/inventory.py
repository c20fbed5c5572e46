"""What is known from one complete listing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import chain
from math import inf
from typing import TYPE_CHECKING, TypedDict

from msgspec import structs

from exporter.inventory.ages import Ages, Dates, Histogram, ages_of, dates_of, in_order, oldest
from exporter.inventory.directory import Directory
from exporter.inventory.findings import Basis, Findings, basis_of, findings_at, remaining_at
from exporter.inventory.keys import Owner, Resource
from exporter.inventory.policy import Rules
from exporter.inventory.timestamps import CLOCK_SKEW

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from exporter.inventory.keys import Key

_OLDEST = 5
OTHER = "other"
"""Stands for the owners and resources of the pairs that were collapsed."""
_OTHER_PAIR = (Owner(OTHER, OTHER), Resource(OTHER, OTHER, ""))

Pair = tuple[Owner, Resource]


@dataclass(frozen=True)
class Inventory:
    """What is counted of one organization; never changed once made.

    Of plain dictionaries and tuples, which the garbage collector (of CPython up to 3.13 at least)
    stops looking into once it has seen that no cycle can come of them; it would keep scrapes
    waiting otherwise.

    A key for several resources counts once for each in ``pairs`` and ``resources``, and once in
    ``owners`` and ``total``.
    """

    at: float
    """The Unix time of what depends on it."""
    total: int
    owners: Mapping[Owner, int]
    resources: Mapping[Resource, int]
    pairs: Mapping[Pair, int]
    collapsed_pairs: int
    """How many pairs stand together as owner ``other``, resource ``other``."""
    ages: Ages
    remaining: Mapping[str, Histogram]
    """By kind of owner: seconds that the keys have left by the policy ``max_age``."""
    findings: Findings
    oldest_keys: Sequence[tuple[Key, float]]
    """A few of the oldest keys, with their creation times, for people."""
    cloud_keys: int
    """Keys for Cloud resource management."""
    cloud_keys_by_owner: Mapping[str, int]
    cluster_keys_by_owner: Mapping[str, int]
    """Keys for Kafka, Schema Registry and ksqlDB clusters, once each; by the owner's id."""
    keys_by_kafka_cluster: Mapping[str, int]
    """By the cluster's id."""
    dates: Dates
    basis: Basis
    """What ages and findings are read from."""
    holds_until: float
    """Unix time from which a key tells its age whose creation was still too far in the future."""

    @property
    def owners_by_kind(self) -> Mapping[str, int]:
        """How many owners of each kind the keys have, the most frequent kind first."""
        return dict(Counter(owner.kind for owner in self.owners).most_common())


@dataclass(frozen=True)
class FoldSettings:
    """How to fold."""

    max_pairs: int
    """The largest pairs are kept apart, so many at most; ties go by id, so that the choice is the
    same from one refresh to the next."""
    rules: Rules = field(default_factory=Rules)


def fold(
    keys: Collection[Key],
    settings: FoldSettings,
    *,
    now: float,
    directory: Directory | None = None,
) -> Inventory:
    """Count ``keys``, which have distinct ids and known places, at the Unix time ``now``."""
    owners = Counter(key.owner for key in keys)
    pairs = Counter((key.owner, resource) for key in keys for resource in key.resources)
    resources: Counter[Resource] = Counter()
    cloud: Counter[str] = Counter()
    cluster: Counter[str] = Counter()
    for (owner, resource), count in pairs.items():
        resources[resource] += count
        if resource.kind == "cloud":
            cloud[owner.id] += count
        elif resource.is_cluster():
            cluster[owner.id] += count
    for key in keys:
        if len(key.resources) > 1:
            clusters = sum(resource.is_cluster() for resource in key.resources)
            if clusters > 1:  # it counts once
                cluster[key.owner.id] -= clusters - 1
    ordered = in_order(keys, now=now)
    dates = dates_of(ordered, now=now)
    known = directory or Directory()
    basis = basis_of(ordered, dates, settings.rules, directory=known, now=now)
    times = [key.created_at for key in keys if key.created_at is not None]
    return Inventory(
        total=len(keys),
        owners=dict(owners),
        resources=dict(resources),
        pairs=_collapse(pairs, settings.max_pairs),
        collapsed_pairs=max(0, len(pairs) - settings.max_pairs),
        cloud_keys=cloud.total(),
        cloud_keys_by_owner=dict(cloud),
        cluster_keys_by_owner=dict(cluster),
        keys_by_kafka_cluster={
            resource.id: count for resource, count in resources.items() if resource.kind == "kafka"
        },
        dates=dates,
        basis=basis,
        holds_until=min((at for at in times if at > now + CLOCK_SKEW), default=inf) - CLOCK_SKEW,
        **_at(dates, basis, now=now),
    )


def later(inventory: Inventory, *, now: float) -> Inventory:
    """Return what ``inventory`` is at the Unix time ``now``, before ``holds_until``.

    Keys, rules and what is known besides them are still the same.
    """
    return replace(inventory, **_at(inventory.dates, inventory.basis, now=now))


class _Moment(TypedDict):
    """What of an inventory depends on the time."""

    at: float
    ages: Ages
    remaining: Mapping[str, Histogram]
    findings: Findings
    oldest_keys: Sequence[tuple[Key, float]]


def _at(dates: Dates, basis: Basis, *, now: float) -> _Moment:
    return {
        "at": now,
        "ages": ages_of(dates, now=now),
        "remaining": remaining_at(basis, now=now),
        "findings": findings_at(basis, now=now),
        "oldest_keys": oldest(dates, _OLDEST, now=now),
    }


def place(keys: Collection[Key], directory: Directory) -> tuple[Key, ...]:
    """Return ``keys`` with the environment of every cluster, as far as anything tells it.

    A cluster lives in one environment: what one key says of it holds for the keys that do not, and
    where no key does, the listings of the clusters may (facts §0.8).
    """
    spellings = dict.fromkeys(chain.from_iterable(key.resources for key in keys))
    known = {
        resource.id: resource.environment_id
        for resource in spellings
        if resource.environment_id and resource.is_cluster()
    }
    listed = directory.clusters

    def placed(resource: Resource) -> Resource:
        if resource.environment_id or not resource.is_cluster():
            return resource
        environment = known.get(resource.id, "")
        if not environment and resource.id in listed:
            environment = listed[resource.id].environment_id
        return structs.replace(resource, environment_id=environment)

    places = {resource: placed(resource) for resource in spellings}
    moved = {resource for resource, place in places.items() if place != resource}
    if not moved:
        return tuple(keys)
    return tuple(
        key
        if moved.isdisjoint(key.resources)
        else structs.replace(key, resources=tuple(places[resource] for resource in key.resources))
        for key in keys
    )


def _collapse(pairs: Counter[Pair], most: int) -> Mapping[Pair, int]:
    if len(pairs) <= most:
        return dict(pairs)
    least = sorted(pairs.values(), reverse=True)[most - 1]
    kept = {pair: count for pair, count in pairs.items() if count > least}
    ties = sorted(pair for pair, count in pairs.items() if count == least)
    kept |= dict.fromkeys(ties[: most - len(kept)], least)
    rest = pairs.total() - sum(kept.values())
    kept[_OTHER_PAIR] = kept.get(_OTHER_PAIR, 0) + rest
    return kept
