"""Policies: which keys violate them, and which keys are exempt."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import translate
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING

from exporter.inventory.timestamps import CLOCK_SKEW, LONGEST_LIFE, plausible_creation

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from exporter.inventory.ages import Dates
    from exporter.inventory.directory import Directory
    from exporter.inventory.keys import Key, Owner

    Violations = Iterator[tuple[str, Sequence[Key]]]
    """Policies, each with the keys that violate it."""

POLICIES = (
    "max_age",
    "expires_within",
    "expired",
    "max_keys_per_owner_and_resource",
    "user_owned",
    "undescribed",
    "unknown_owner",
)
"""The names of all policies: their settings, and the values of the label ``policy``."""
_NOTHING = "(?!)"
_MOST_MISSING = 0.25  # share of the owners of a kind; one may always be missing


@dataclass(frozen=True)
class Rules:
    """The policies. None and False disable one; durations are in seconds."""

    max_age: float | None = None
    expires_within: float | None = None
    expired: bool = False
    max_keys_per_owner_and_resource: int | None = None
    user_owned: bool = False
    undescribed: bool = False
    unknown_owner: bool = False
    exempt_owners: tuple[str, ...] = ()
    """Shell-style patterns of ids, as in the next two."""
    exempt_resources: tuple[str, ...] = ()
    exempt_api_keys: tuple[str, ...] = ()

    def active(self) -> tuple[str, ...]:
        """Return the enabled policies."""
        return tuple(name for name in POLICIES if getattr(self, name) not in {None, False})

    @property
    def has_exempt(self) -> bool:
        """Whether any exemption is configured."""
        return bool(self.exempt_owners or self.exempt_resources or self.exempt_api_keys)

    def exempts(self, key: Key) -> bool:
        """Whether ``key`` is exempt: by its id, its owner, or all of its resources."""
        return bool(
            self._exempt_owners(key.owner.id)
            or self._exempt_api_keys(key.id)
            or all(self._exempt_resources(resource.id) for resource in key.resources)
        )

    @cached_property
    def _exempt_owners(self) -> Callable[[str], object]:
        return _matcher(self.exempt_owners)

    @cached_property
    def _exempt_resources(self) -> Callable[[str], object]:
        return _matcher(self.exempt_resources)

    @cached_property
    def _exempt_api_keys(self) -> Callable[[str], object]:
        return _matcher(self.exempt_api_keys)


def _matcher(patterns: tuple[str, ...]) -> Callable[[str], object]:
    return re.compile("|".join(map(translate, patterns)) or _NOTHING).match


def judged(rules: Rules, kinds: Collection[str]) -> tuple[str, ...]:
    """Return the enabled policies that can be evaluated.

    ``unknown_owner`` needs at least one of ``kinds``, the result of :func:`judged_kinds`.
    """
    return tuple(name for name in rules.active() if name != "unknown_owner" or kinds)


def judged_kinds(owners: Collection[Owner], directory: Directory) -> tuple[str, ...]:
    """Return the kinds of owners that ``unknown_owner`` can be evaluated for.

    This requires a complete listing of the kind. If the listing lacks more than a quarter of the
    ``owners`` of the keys, the credentials probably see only some of them, see
    ``docs/confluent-cloud-api.md#who-sees-which-keys``.
    """
    kinds = []
    for kind in directory.complete:
        ids = [owner.id for owner in owners if owner.kind == kind]
        missing = sum(owner_id not in directory.owners(kind) for owner_id in ids)
        if missing <= max(1, _MOST_MISSING * len(ids)):
            kinds.append(kind)
    return tuple(kinds)


def keys_with_owner(keys: Iterable[Key]) -> list[Key]:
    """Return ``keys`` without Confluent's own, which have no owner and cannot be fixed by users."""
    return [key for key in keys if key.owner.kind != "internal"]


def timed_violations(dates: Dates, rules: Rules, *, now: float) -> Violations:
    """Yield each enabled policy that depends on the current time, with the keys that violate it."""
    if rules.max_age is not None:
        yield (
            "max_age",
            [
                key
                for timeline in dates.created.values()
                for key in timeline.older_than(rules.max_age, now=now)
            ],
        )
    if rules.expires_within is not None:
        latest = now + min(rules.expires_within, LONGEST_LIFE)
        yield "expires_within", [key for _, key in dates.expiring_between(now, latest)]
    if rules.expired:
        yield "expired", [key for _, key in dates.expiring_between(0.0, now)]


def timeless_violations(
    keys: Sequence[Key], rules: Rules, *, directory: Directory, kinds: Collection[str]
) -> Violations:
    """Yield each enabled policy that does not depend on the time, with the keys that violate it.

    ``keys``: sorted by :func:`~exporter.inventory.ages.sorted_by_creation`. ``kinds``: the result
    of :func:`judged_kinds`.
    """
    if rules.max_keys_per_owner_and_resource is not None:
        policy = "max_keys_per_owner_and_resource"
        yield policy, _surplus(keys, rules.max_keys_per_owner_and_resource)
    if rules.user_owned:
        yield "user_owned", [key for key in keys if key.owner.kind == "user"]
    if rules.undescribed:
        yield "undescribed", [key for key in keys if not key.described]
    if rules.unknown_owner:
        deleted = _deleted_owners(keys, directory, kinds)
        yield "unknown_owner", [key for key in keys if key.owner in deleted]


def _surplus(keys: Sequence[Key], most: int) -> list[Key]:
    """Return the keys beyond the ``most`` newest of an owner for a resource.

    They are usually left over from an unfinished rotation or a failed creation. Keys without a
    creation time count as the oldest.
    """
    newer: dict[tuple[str, str], int] = {}
    surplus = []
    for key in reversed(keys):
        beyond = False
        for resource in key.resources:
            pair = key.owner.id, resource.id
            newer[pair] = count = newer.get(pair, 0) + 1
            beyond = beyond or count > most
        if beyond:
            surplus.append(key)
    return surplus


def _deleted_owners(
    keys: Collection[Key], directory: Directory, kinds: Collection[str]
) -> frozenset[Owner]:
    """Return the deleted owners.

    An owner was deleted if a complete listing of its kind lacks it, although one of its keys is
    older than the listing. The service account of the audit log is never listed, see
    ``docs/confluent-cloud-api.md#owner-kinds``. All of its keys are for Kafka clusters without an
    environment.
    """
    unlisted = {
        owner
        for owner in {key.owner for key in keys}
        if owner.kind in kinds and owner.id not in directory.owners(owner.kind)
    }
    existed_before: set[Owner] = set()
    with_other_resources: set[Owner] = set()
    for key in keys if unlisted else ():
        owner = key.owner
        if owner not in unlisted:
            continue
        created = plausible_creation(key.created_at, now=inf)
        if created is not None and created < directory.complete[owner.kind] - CLOCK_SKEW:
            existed_before.add(owner)
        if any(each.kind != "kafka" or each.environment_id for each in key.resources):
            with_other_resources.add(owner)
    return frozenset(
        owner
        for owner in existed_before
        if owner.kind != "service-account" or owner in with_other_resources
    )
