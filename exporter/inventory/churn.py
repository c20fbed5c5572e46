"""What came and what went between two complete listings."""

from __future__ import annotations

from collections import Counter
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from exporter.inventory.keys import RESOURCE_KINDS, UNKNOWN_KIND
from exporter.inventory.timestamps import CLOCK_SKEW, believable_creation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.inventory.keys import Key


class Churn(NamedTuple):
    """Keys that one listing has and the other has not. What merely changed is not churn."""

    created: tuple[Key, ...]
    revealed: tuple[Key, ...]
    """They were there before, but the credentials did not see them."""
    deleted: tuple[Key, ...]
    """Or the credentials do not see them any more, which looks the same (facts §0.3)."""


def churn(before: Mapping[str, Key], after: Mapping[str, Key], *, since: float) -> Churn:
    """Compare two listings by id; ``since``: the Unix time at which the first of them began.

    A key that does not tell when it was created is taken for a new one.
    """
    created: list[Key] = []
    revealed: list[Key] = []
    for key_id in after.keys() - before.keys():
        key = after[key_id]
        at = believable_creation(key.created_at, now=inf)
        (created if at is None or at >= since - CLOCK_SKEW else revealed).append(key)
    return Churn(
        created=tuple(created),
        revealed=tuple(revealed),
        deleted=tuple(before[key_id] for key_id in before.keys() - after.keys()),
    )


def by_kinds(keys: Iterable[Key]) -> Counter[tuple[str, str]]:
    """Count ``keys`` by kind of owner and kind of resource; once for each kind a key opens.

    Kinds that the vendor's CLI does not know are :data:`UNKNOWN_KIND`.
    """
    return Counter(
        (key.owner.kind, kind)
        for key in keys
        for kind in {
            each.kind if each.kind in RESOURCE_KINDS else UNKNOWN_KIND for each in key.resources
        }
    )
