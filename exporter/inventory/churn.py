"""What came and what went between two complete listings."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from exporter.inventory.keys import RESOURCE_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.inventory.keys import Key


class Churn(NamedTuple):
    """Keys that one listing has and the other has not. What merely changed is not churn."""

    created: tuple[Key, ...]
    deleted: tuple[Key, ...]


def churn(before: Mapping[str, Key], after: Mapping[str, Key]) -> Churn:
    """Compare two listings by id."""
    return Churn(
        created=tuple(after[key_id] for key_id in after.keys() - before.keys()),
        deleted=tuple(before[key_id] for key_id in before.keys() - after.keys()),
    )


def by_kinds(keys: Iterable[Key]) -> Counter[tuple[str, str]]:
    """Count ``keys`` by kind of owner and kind of resource; once for each kind a key opens.

    Kinds that the vendor's CLI does not know are ``unknown``: counters stay for ever.
    """
    return Counter(
        (key.owner.kind, kind)
        for key in keys
        for kind in {
            each.kind if each.kind in RESOURCE_KINDS else "unknown" for each in key.resources
        }
    )
