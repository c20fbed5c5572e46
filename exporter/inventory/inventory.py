"""The inventory: everything counted from one complete listing of keys."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import chain
from math import inf
from typing import TYPE_CHECKING, TypedDict

from msgspec import structs

from exporter.inventory.ages import (
    Ages,
    Dates,
    Histogram,
    ages_of,
    dates_of,
    oldest_keys,
    sorted_by_creation,
)
from exporter.inventory.directory import Directory
from exporter.inventory.findings import (
    Findings,
    PolicyInputs,
    findings_at,
    policy_inputs_of,
    remaining_at,
)
from exporter.inventory.keys import Owner, Resource
from exporter.inventory.rules import Rules
from exporter.inventory.teams import owner_teams
from exporter.inventory.timestamps import CLOCK_SKEW
from exporter.inventory.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from exporter.inventory.keys import Key
    from exporter.inventory.teams import Team

_OLDEST = 5
OTHER = "other"
"""Owner and resource id of the collapsed pairs."""
_OTHER_PAIR = (Owner(OTHER, OTHER), Resource(OTHER, OTHER, ""))

Pair = tuple[Owner, Resource]


@dataclass(frozen=True)
class Inventory:
    """The immutable counts of one organization.

    Made of plain dictionaries and tuples, because CPython's garbage collector (at least up to 3.13)
    stops tracking those that cannot be part of a cycle. Long collections would delay scrapes.

    A key for several resources counts once for each in ``pairs`` and ``resources``, and once in
    ``owners`` and ``total``.
    """

    at: float
    """The Unix time that ages and findings refer to."""
    keys: Sequence[Key]
    """The oldest first, then by id. Keys of unknown creation come first."""
    total: int
    owners: Mapping[Owner, int]
    resources: Mapping[Resource, int]
    pairs: Mapping[Pair, int]
    collapsed_pairs: int
    """Number of pairs that are combined as owner ``other``, resource ``other``."""
    ages: Ages
    remaining: Mapping[str, Histogram]
    """By kind of owner: seconds until the keys exceed the policy ``max_age``."""
    findings: Findings
    oldest_keys: Sequence[tuple[Key, float]]
    """A few of the oldest keys with their creation times, for the status page."""
    cloud_keys: int
    """Keys for Cloud resource management."""
    cloud_keys_by_owner: Mapping[str, int]
    cluster_keys_by_owner: Mapping[str, int]
    """By owner id: keys for Kafka, Schema Registry and ksqlDB clusters, each counted once."""
    keys_by_kafka_cluster: Mapping[str, int]
    """By cluster id."""
    teams: Mapping[str, str]
    """By owner id: the team of the owner. Owners without one are absent."""
    dates: Dates
    policy_inputs: PolicyInputs
    """Findings are computed from it at any time."""
    valid_until: float
    """Unix time at which the next creation time, now too far in the future, becomes plausible."""

    @property
    def owners_by_kind(self) -> Mapping[str, int]:
        """Number of owners with keys by kind, most frequent first."""
        return dict(Counter(owner.kind for owner in self.owners).most_common())


@dataclass(frozen=True)
class FoldSettings:
    """Settings of :func:`fold`."""

    max_pairs: int
    """Maximum number of pairs that are counted separately, largest first. Ties are broken by id, so
    that consecutive refreshes choose the same pairs."""
    rules: Rules = field(default_factory=Rules)
    teams: tuple[Team, ...] = ()


def fold(
    keys: Collection[Key],
    settings: FoldSettings,
    *,
    now: float,
    directory: Directory | None = None,
    usage: Usage | None = None,
) -> Inventory:
    """Return the inventory of ``keys``, which have distinct ids, at the Unix time ``now``."""
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
            if clusters > 1:  # the key counts once
                cluster[key.owner.id] -= clusters - 1
    ordered = sorted_by_creation(keys, now=now)
    dates = dates_of(ordered, now=now)
    known = directory or Directory()
    policy_inputs = policy_inputs_of(
        ordered, dates, settings.rules, directory=known, usage=usage or Usage(), now=now
    )
    times = [key.created_at for key in keys if key.created_at is not None]
    return Inventory(
        keys=tuple(ordered),
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
        teams=owner_teams(pairs, settings.teams),
        dates=dates,
        policy_inputs=policy_inputs,
        valid_until=min((at for at in times if at > now + CLOCK_SKEW), default=inf) - CLOCK_SKEW,
        **_time_dependent(dates, policy_inputs, now=now),
    )


def at_time(inventory: Inventory, *, now: float) -> Inventory:
    """Return ``inventory`` at the later Unix time ``now``, which is before ``valid_until``.

    Keys, rules and names are unchanged.
    """
    return replace(inventory, **_time_dependent(inventory.dates, inventory.policy_inputs, now=now))


class _TimeDependent(TypedDict):
    """The fields of an inventory that depend on the current time."""

    at: float
    ages: Ages
    remaining: Mapping[str, Histogram]
    findings: Findings
    oldest_keys: Sequence[tuple[Key, float]]


def _time_dependent(dates: Dates, policy_inputs: PolicyInputs, *, now: float) -> _TimeDependent:
    return {
        "at": now,
        "ages": ages_of(dates, now=now),
        "remaining": remaining_at(policy_inputs, now=now),
        "findings": findings_at(policy_inputs, now=now),
        "oldest_keys": oldest_keys(dates, _OLDEST, now=now),
    }


def with_environments(keys: Collection[Key], directory: Directory) -> tuple[Key, ...]:
    """Return ``keys`` with the environment of every cluster, if any key or listing has it.

    A cluster belongs to one environment. Where a key lacks it, other keys for the same cluster or
    the listing of clusters may have it.
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
