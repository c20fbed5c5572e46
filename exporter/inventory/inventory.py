"""The counts of one complete listing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.inventory.keys import Owner, Resource

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from exporter.inventory.keys import Key

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

    total: int
    owners: Mapping[Owner, int]
    resources: Mapping[Resource, int]
    pairs: Mapping[Pair, int]
    collapsed_pairs: int
    """How many pairs stand together as owner ``other``, resource ``other``."""
    unreadable: int
    """Items of the listing that could not be read and are in none of the counts."""
    ids: frozenset[str] = frozenset()
    """Of the keys that are counted."""
    vanished: int | None = None
    """How many keys of the previous inventory are not in this one; None without a previous one."""
    previous_total: int = 0
    """Keys of the previous inventory."""

    @property
    def vanished_ratio(self) -> float | None:
        """``vanished`` ÷ ``previous_total``, 0 to 1; None as ``vanished``."""
        return None if self.vanished is None else self.vanished / max(1, self.previous_total)

    @property
    def owners_by_kind(self) -> Mapping[str, int]:
        """How many owners of each kind the keys have, the most frequent kind first."""
        return dict(Counter(owner.kind for owner in self.owners).most_common())


def fold(
    keys: Collection[Key],
    *,
    max_pairs: int,
    unreadable: int = 0,
    previous: Inventory | None = None,
) -> Inventory:
    """Count ``keys``, which have distinct ids, and compare them with the ``previous`` inventory.

    At most ``max_pairs`` pairs are kept apart, the largest ones; ties go by id, so that the choice
    is the same from one refresh to the next.
    """
    environments = _environments(keys)
    owners: Counter[Owner] = Counter()
    resources: Counter[Resource] = Counter()
    pairs: Counter[Pair] = Counter()
    for key in keys:
        owners[key.owner] += 1
        for resource in key.resources:
            place = resource
            if not place.environment_id and place.is_cluster():
                place = place._replace(environment_id=environments.get(place.id, ""))
            resources[place] += 1
            pairs[key.owner, place] += 1
    kept = _collapse(pairs, max_pairs)
    ids = frozenset(key.id for key in keys)
    return Inventory(
        total=len(keys),
        owners=owners,
        resources=resources,
        pairs=kept,
        collapsed_pairs=max(0, len(pairs) - max_pairs),
        unreadable=unreadable,
        ids=ids,
        vanished=len(previous.ids - ids) if previous else None,
        previous_total=previous.total if previous else 0,
    )


def _environments(keys: Collection[Key]) -> dict[str, str]:
    """Return the environment of each cluster, as far as any of its keys names it.

    A cluster lives in one environment, so what one key says of it holds for the keys that do not.
    """
    return {
        resource.id: resource.environment_id
        for key in keys
        for resource in key.resources
        if resource.environment_id and resource.is_cluster()
    }


def _collapse(pairs: Counter[Pair], most: int) -> Mapping[Pair, int]:
    if len(pairs) <= most:
        return pairs
    largest_first = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
    kept = dict(largest_first[:most])
    kept[_OTHER_PAIR] = kept.get(_OTHER_PAIR, 0) + sum(count for _, count in largest_first[most:])
    return kept
