"""Keys created and deleted between two complete listings."""

from __future__ import annotations

from collections import Counter
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from exporter.inventory.keys import RESOURCE_KINDS, UNKNOWN_KIND
from exporter.inventory.timestamps import CLOCK_SKEW, plausible_creation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.inventory.keys import Key
    from exporter.inventory.rules import Rules


class ChurnKind(NamedTuple):
    """What created and deleted keys are counted by. ``exempt``: ``true`` or ``false``."""

    owner_kind: str
    resource_kind: str
    exempt: str


class Churn(NamedTuple):
    """Keys in only one of two listings. A changed key is not churn."""

    created: tuple[Key, ...]
    revealed: tuple[Key, ...]
    """Older keys that the credentials could not see before."""
    deleted: tuple[Key, ...]
    """Includes keys that the credentials can no longer see, which look the same. See
    ``docs/confluent-cloud-api.md#who-sees-which-keys``."""


def churn(before: Mapping[str, Key], after: Mapping[str, Key], *, since: float) -> Churn:
    """Compare two listings by key id; ``since``: the Unix time at which the first one began.

    A key without a plausible creation time counts as created.
    """
    created: list[Key] = []
    revealed: list[Key] = []
    for key_id in after.keys() - before.keys():
        key = after[key_id]
        at = plausible_creation(key.created_at, now=inf)
        (created if at is None or at >= since - CLOCK_SKEW else revealed).append(key)
    return Churn(
        created=tuple(created),
        revealed=tuple(revealed),
        deleted=tuple(before[key_id] for key_id in before.keys() - after.keys()),
    )


def count_by_kinds(keys: Iterable[Key], rules: Rules) -> Counter[ChurnKind]:
    """Count ``keys``, once for each resource kind of a key, apart if ``rules`` exempt the key.

    Kinds outside :data:`RESOURCE_KINDS` count as :data:`UNKNOWN_KIND`.
    """
    return Counter(
        ChurnKind(key.owner.kind, kind, "true" if rules.exempts(key) else "false")
        for key in keys
        for kind in {
            each.kind if each.kind in RESOURCE_KINDS else UNKNOWN_KIND for each in key.resources
        }
    )
