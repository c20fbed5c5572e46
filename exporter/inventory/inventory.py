"""What is known from one complete listing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from msgspec import structs

from exporter.inventory.ages import Ages, Histogram, ages_of, oldest, remaining_of
from exporter.inventory.directory import Directory
from exporter.inventory.keys import Owner, Resource
from exporter.inventory.policy import Findings, Rules, count

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
    directory = directory or Directory()
    owners = Counter(key.owner for key in keys)
    pairs = Counter((key.owner, resource) for key in keys for resource in key.resources)
    resources: Counter[Resource] = Counter()
    cloud: Counter[str] = Counter()
    cluster: Counter[str] = Counter()
    for (owner, resource), count_of_pair in pairs.items():
        resources[resource] += count_of_pair
        if resource.kind == "cloud":
            cloud[owner.id] += count_of_pair
        elif resource.is_cluster():
            cluster[owner.id] += count_of_pair
    for key in keys:
        if len(key.resources) > 1:
            clusters = sum(resource.is_cluster() for resource in key.resources)
            if clusters > 1:  # it counts once
                cluster[key.owner.id] -= clusters - 1
    rules = settings.rules
    return Inventory(
        at=now,
        total=len(keys),
        owners=owners,
        resources=resources,
        pairs=_collapse(pairs, settings.max_pairs),
        collapsed_pairs=max(0, len(pairs) - settings.max_pairs),
        cloud_keys=cloud.total(),
        cloud_keys_by_owner=cloud,
        cluster_keys_by_owner=cluster,
        keys_by_kafka_cluster={
            resource.id: count for resource, count in resources.items() if resource.kind == "kafka"
        },
        ages=ages_of(keys, now=now),
        remaining=remaining_of(keys, rules, now=now),
        findings=count(keys, rules, directory=directory, now=now),
        oldest_keys=oldest(keys, _OLDEST, now=now),
    )


def fold_later(
    inventory: Inventory, keys: Collection[Key], rules: Rules, *, now: float, directory: Directory
) -> Inventory:
    """Return what ``inventory`` is at the Unix time ``now``; ``keys`` are those it was made of."""
    return replace(
        inventory,
        at=now,
        ages=ages_of(keys, now=now),
        remaining=remaining_of(keys, rules, now=now),
        findings=count(keys, rules, directory=directory, now=now),
        oldest_keys=oldest(keys, _OLDEST, now=now),
    )


def place(keys: Collection[Key], directory: Directory) -> list[Key]:
    """Return ``keys`` with the environment of every cluster, as far as anything tells it.

    A cluster lives in one environment: what one key says of it holds for the keys that do not, and
    where no key does, the listings of the clusters may (facts §0.8).
    """
    known = {
        resource.id: resource.environment_id
        for key in keys
        for resource in key.resources
        if resource.environment_id and resource.is_cluster()
    }
    listed = directory.clusters

    def placed(resource: Resource) -> Resource:
        if resource.environment_id or not resource.is_cluster():
            return resource
        environment = known.get(resource.id, "")
        if not environment and resource.id in listed:
            environment = listed[resource.id].environment_id
        return resource._replace(environment_id=environment)

    places = {
        resource: placed(resource)
        for resource in {resource for key in keys for resource in key.resources}
    }
    moved = {resource for resource, place in places.items() if place != resource}
    return [
        key
        if moved.isdisjoint(key.resources)
        else structs.replace(key, resources=tuple(places[resource] for resource in key.resources))
        for key in keys
    ]


def _collapse(pairs: Counter[Pair], most: int) -> Mapping[Pair, int]:
    if len(pairs) <= most:
        return pairs
    largest_first = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
    kept = dict(largest_first[:most])
    kept[_OTHER_PAIR] = kept.get(_OTHER_PAIR, 0) + sum(count for _, count in largest_first[most:])
    return kept
