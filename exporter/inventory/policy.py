"""Which keys break which policy, and which of those findings an exemption silences."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from fnmatch import translate
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from exporter.inventory.timestamps import (
    CLOCK_SKEW,
    believable_creation,
    believable_expiry,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from exporter.inventory.directory import Directory
    from exporter.inventory.keys import Key, Owner

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
            self._exempt_api_keys(key.id)
            or self._exempt_owners(key.owner.id)
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


class Finding(NamedTuple):
    """One key that breaks one policy."""

    policy: str
    key: Key
    exempted: bool


@dataclass(frozen=True)
class Findings:
    """The findings of one inventory, counted."""

    active: tuple[str, ...]
    """The policies that are on."""
    judged: tuple[str, ...]
    """Those of them that could be judged."""
    judged_kinds: tuple[str, ...]
    """The kinds of owners for which ``unknown_owner`` was."""
    by_owner: Mapping[tuple[str, Owner], int]
    """By policy and owner, without the exempted ones."""
    exempted: Mapping[str, int]
    """By policy."""


def count(keys: Collection[Key], rules: Rules, *, directory: Directory, now: float) -> Findings:
    """Return the findings among ``keys`` at the Unix time ``now``, counted."""
    kinds = judged_kinds(keys, directory)
    by_owner: dict[tuple[str, Owner], int] = {}
    exempted: dict[str, int] = {}
    for policy, broken in broken_by(keys, rules, directory=directory, now=now):
        accused = [key for key in broken if not rules.exempts(key)] if rules.has_exempt else broken
        owners = Counter(key.owner for key in accused)
        by_owner |= {(policy, owner): count for owner, count in owners.items()}
        if len(accused) < len(broken):
            exempted[policy] = len(broken) - len(accused)
    return Findings(rules.active(), judged(rules, kinds), kinds, by_owner, exempted)


def judged(rules: Rules, kinds: Collection[str]) -> tuple[str, ...]:
    """Return the policies that are on and can be judged.

    ``unknown_owner`` needs at least one of the ``kinds`` of :func:`judged_kinds`.
    """
    return tuple(name for name in rules.active() if name != "unknown_owner" or kinds)


def judged_kinds(keys: Iterable[Key], directory: Directory) -> tuple[str, ...]:
    """Return the kinds of owners that ``unknown_owner`` can be judged for.

    That takes a complete listing of the kind. One that lacks more than a quarter of the owners of
    the keys is taken for the view of somebody who sees only a part (facts §2), whatever it says.
    """
    owners = {key.owner for key in keys}
    known = {"service-account": directory.service_accounts, "user": directory.users}
    kinds = []
    for kind in directory.complete:
        ids = [owner.id for owner in owners if owner.kind == kind]
        missing = sum(owner_id not in known[kind] for owner_id in ids)
        if missing <= max(1, _MOST_MISSING * len(ids)):
            kinds.append(kind)
    return tuple(kinds)


def findings_of(
    keys: Collection[Key], rules: Rules, *, directory: Directory, now: float
) -> Iterator[Finding]:
    """Yield every finding among ``keys`` at the Unix time ``now``, policy by policy."""
    for policy, broken in broken_by(keys, rules, directory=directory, now=now):
        for key in broken:
            yield Finding(policy, key, rules.exempts(key))


def broken_by(
    keys: Collection[Key], rules: Rules, *, directory: Directory, now: float
) -> Iterator[tuple[str, list[Key]]]:
    """Yield each policy that is on, with those of ``keys`` that break it, exempted ones too.

    Keys without an owner are the provider's own and not judged: nobody here could mend them.
    """
    owned = [key for key in keys if key.owner.kind != "internal"]
    if rules.max_age is not None:
        left = left_until_max_age(owned, rules.max_age, now=now)
        yield "max_age", [key for key, seconds in left if seconds < 0]
    expiring = [
        (key, at)
        for key in owned
        if key.expires_at is not None
        and (at := believable_expiry(key.expires_at, now=now)) is not None
    ]
    if rules.expires_within is not None:
        latest = now + rules.expires_within
        yield "expires_within", [key for key, at in expiring if now < at <= latest]
    if rules.expired:
        yield "expired", [key for key, at in expiring if at <= now]
    if rules.max_keys_per_owner_and_resource is not None:
        surplus = _surplus(owned, rules.max_keys_per_owner_and_resource, now=now)
        yield "max_keys_per_owner_and_resource", [key for key in owned if key.id in surplus]
    if rules.user_owned:
        yield "user_owned", [key for key in owned if key.owner.kind == "user"]
    if rules.undescribed:
        yield "undescribed", [key for key in owned if not key.described]
    if rules.unknown_owner:
        strangers = _strangers(owned, directory, now=now)
        yield "unknown_owner", [key for key in owned if key.owner in strangers]


def left_until_max_age(
    keys: Iterable[Key], max_age: float, *, now: float
) -> Iterator[tuple[Key, float]]:
    """Yield the ``keys`` that tell when they were created, with the seconds until ``max_age``.

    Negative where it is passed.
    """
    for key in keys:
        created = believable_creation(key.created_at, now=now)
        if created is not None:
            yield key, created + max_age - now


def _surplus(keys: Iterable[Key], most: int, *, now: float) -> set[str]:
    """Return the ids of the keys beyond the ``most`` newest of an owner for a resource.

    Those are what is left of a rotation that was never finished, or of creations that failed half
    way (facts §5.2). Keys without a creation time count as the oldest.
    """
    groups: defaultdict[tuple[str, str], list[tuple[float, str]]] = defaultdict(list)
    for key in keys:
        dated = (believable_creation(key.created_at, now=now) or 0.0, key.id)
        owner_id = key.owner.id
        for resource in key.resources:
            groups[owner_id, resource.id].append(dated)
    surplus: set[str] = set()
    while groups:  # rather than all at once at the end, when nobody else could run meanwhile
        _, group = groups.popitem()
        if len(group) > most:
            group.sort(reverse=True)
            surplus.update(key_id for _, key_id in group[most:])
    return surplus


def _strangers(keys: Collection[Key], directory: Directory, *, now: float) -> frozenset[Owner]:
    """Return the owners that are gone.

    An owner is gone if a complete listing of its kind lacks it, though it was there before that
    listing began, as a key of it was. The audit log's service account is in no list either
    (facts §1.4); it is known by opening nothing but Kafka clusters of no environment (facts §1.5).
    """
    known = {"service-account": directory.service_accounts, "user": directory.users}
    kinds = judged_kinds(keys, directory)
    suspects: set[Owner] = set()
    placed: set[Owner] = set()
    for key in keys:
        owner = key.owner
        if owner.kind not in kinds or owner.id in known[owner.kind]:
            continue
        created = believable_creation(key.created_at, now=now)
        if created is not None and created < directory.complete[owner.kind] - CLOCK_SKEW:
            suspects.add(owner)
        if any(each.kind != "kafka" or each.environment_id for each in key.resources):
            placed.add(owner)
    return frozenset(
        owner for owner in suspects if owner.kind != "service-account" or owner in placed
    )
