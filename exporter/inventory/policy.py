"""Which keys break which policy, and which keys are exempted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import translate
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING

from exporter.inventory.timestamps import CLOCK_SKEW, LONGEST_LIFE, believable_creation

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from exporter.inventory.ages import Dates
    from exporter.inventory.directory import Directory
    from exporter.inventory.keys import Key, Owner

    Broken = Iterator[tuple[str, Sequence[Key]]]
    """Policies, each with the keys that break it."""

POLICIES = (
    "max_age",
    "expires_within",
    "expired",
    "max_keys_per_owner_and_resource",
    "user_owned",
    "undescribed",
    "unknown_owner",
)
"""Every policy, by the name of its setting; the value of the label ``policy``."""
_NOTHING = "(?!)"
_MOST_MISSING = 0.25  # of the owners of a kind; one may always be


@dataclass(frozen=True)
class Rules:
    """What a key should be like; None and False are off. Durations in seconds."""

    max_age: float | None = None
    expires_within: float | None = None
    expired: bool = False
    max_keys_per_owner_and_resource: int | None = None
    user_owned: bool = False
    undescribed: bool = False
    unknown_owner: bool = False
    exempt_owners: tuple[str, ...] = ()
    """Shell-style patterns of ids, as those below."""
    exempt_resources: tuple[str, ...] = ()
    exempt_api_keys: tuple[str, ...] = ()

    def active(self) -> tuple[str, ...]:
        """Return the policies that are on."""
        return tuple(name for name in POLICIES if getattr(self, name) not in {None, False})

    @property
    def has_exempt(self) -> bool:
        """Whether any exemption is configured."""
        return bool(self.exempt_owners or self.exempt_resources or self.exempt_api_keys)

    def exempts(self, key: Key) -> bool:
        """Whether an exemption holds for ``key``: by its id, its owner, or all of its resources."""
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
    """Return the policies that are on and can be judged.

    ``unknown_owner`` needs at least one of the ``kinds`` of :func:`judged_kinds`.
    """
    return tuple(name for name in rules.active() if name != "unknown_owner" or kinds)


def judged_kinds(owners: Collection[Owner], directory: Directory) -> tuple[str, ...]:
    """Return the kinds of owners that ``unknown_owner`` can be judged for.

    That takes a complete listing of the kind. One that lacks more than a quarter of the ``owners``
    of the keys is taken for the view of somebody who sees only a part (facts §2), whatever it says.
    """
    kinds = []
    for kind in directory.complete:
        ids = [owner.id for owner in owners if owner.kind == kind]
        missing = sum(owner_id not in directory.owners(kind) for owner_id in ids)
        if missing <= max(1, _MOST_MISSING * len(ids)):
            kinds.append(kind)
    return tuple(kinds)


def owned(keys: Iterable[Key]) -> list[Key]:
    """Leave out the provider's own keys, which have no owner: nobody here could mend them."""
    return [key for key in keys if key.owner.kind != "internal"]


def broken_now(dates: Dates, rules: Rules, *, now: float) -> Broken:
    """Yield each policy that is on and depends on the time, with the keys that break it."""
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


def broken_always(
    keys: Sequence[Key], rules: Rules, *, directory: Directory, kinds: Collection[str]
) -> Broken:
    """Yield each policy that is on and depends on no time, with those of ``keys`` that break it.

    ``keys``: in the order of :func:`~exporter.inventory.ages.in_order`. ``kinds``: as
    :func:`judged_kinds`.
    """
    if rules.max_keys_per_owner_and_resource is not None:
        policy = "max_keys_per_owner_and_resource"
        yield policy, _surplus(keys, rules.max_keys_per_owner_and_resource)
    if rules.user_owned:
        yield "user_owned", [key for key in keys if key.owner.kind == "user"]
    if rules.undescribed:
        yield "undescribed", [key for key in keys if not key.described]
    if rules.unknown_owner:
        strangers = _strangers(keys, directory, kinds)
        yield "unknown_owner", [key for key in keys if key.owner in strangers]


def _surplus(keys: Sequence[Key], most: int) -> list[Key]:
    """Return the keys beyond the ``most`` newest of an owner for a resource.

    Those are what is left of a rotation that was never finished, or of creations that failed half
    way (facts §5.2). Keys without a creation time count as the oldest.
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


def _strangers(
    keys: Collection[Key], directory: Directory, kinds: Collection[str]
) -> frozenset[Owner]:
    """Return the owners that are gone.

    An owner is gone if a complete listing of its kind lacks it, though it was there before that
    listing began, as a key of it was. The audit log's service account is in no list either
    (facts §1.4); it is known by opening nothing but Kafka clusters of no environment (facts §1.5).
    """
    unlisted = {
        owner
        for owner in {key.owner for key in keys}
        if owner.kind in kinds and owner.id not in directory.owners(owner.kind)
    }
    suspects: set[Owner] = set()
    placed: set[Owner] = set()
    for key in keys if unlisted else ():
        owner = key.owner
        if owner not in unlisted:
            continue
        created = believable_creation(key.created_at, now=inf)
        if created is not None and created < directory.complete[owner.kind] - CLOCK_SKEW:
            suspects.add(owner)
        if any(each.kind != "kafka" or each.environment_id for each in key.resources):
            placed.add(owner)
    return frozenset(
        owner for owner in suspects if owner.kind != "service-account" or owner in placed
    )
