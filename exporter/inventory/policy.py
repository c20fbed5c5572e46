"""Policies: which keys violate them."""

from __future__ import annotations

from itertools import chain
from math import inf
from typing import TYPE_CHECKING

from exporter.inventory.timestamps import CLOCK_SKEW, LONGEST_LIFE, plausible_creation
from exporter.inventory.usage import unused_keys

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from exporter.inventory.ages import Dates
    from exporter.inventory.directory import Directory
    from exporter.inventory.keys import Key, Owner
    from exporter.inventory.overrides import KeysWithRules
    from exporter.inventory.rules import Rules
    from exporter.inventory.usage import Usage

    Violations = Iterator[tuple[str, Sequence[Key]]]
    """Policies, each with the keys that violate it."""

_MOST_MISSING = 0.25  # share of the owners of a kind; one may always be missing


def evaluated_policies(rules: Rules, kinds: Collection[str], usage: Usage) -> tuple[str, ...]:
    """Return the enabled policies that can be evaluated.

    ``unknown_owner`` needs at least one of ``kinds``, the result of :func:`evaluated_kinds`, and
    ``unused_for`` a cluster whose activity is known for that time. If overrides set other times,
    the shortest decides.
    """
    every = (rules, *(override.rules for override in rules.overrides))
    shortest = min((each.unused_for for each in every if each.unused_for is not None), default=inf)
    is_known = any(
        usage.periods[cluster].end - usage.periods[cluster].start >= shortest
        for cluster in usage.evaluated
    )
    needs = {"unknown_owner": bool(kinds), "unused_for": is_known}
    return tuple(name for name in rules.active() if needs.get(name, True))


def evaluated_kinds(owners: Collection[Owner], directory: Directory) -> tuple[str, ...]:
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
    keys: Sequence[Key],
    groups: Sequence[KeysWithRules],
    *,
    owners: Collection[Owner],
    directory: Directory,
    kinds: Collection[str],
    usage: Usage,
) -> Violations:
    """Yield each enabled policy that does not depend on the time, with the keys that violate it.

    ``keys``: sorted by :func:`~exporter.inventory.ages.sorted_by_creation`. ``groups``: all of
    them. ``owners``: their owners. ``kinds``: the result of :func:`evaluated_kinds`.
    """
    if any(rules.max_keys_per_owner_and_resource is not None for rules, _ in groups):
        yield "max_keys_per_owner_and_resource", _surplus(keys, groups)
    if user_owned := [group for rules, group in groups if rules.user_owned]:
        yield "user_owned", [key for key in chain(*user_owned) if key.owner.kind == "user"]
    if undescribed := [group for rules, group in groups if rules.undescribed]:
        yield "undescribed", [key for key in chain(*undescribed) if not key.described]
    if unknown_owner := [group for rules, group in groups if rules.unknown_owner]:
        deleted = _deleted_owners(keys, owners, directory, kinds)
        yield "unknown_owner", [key for key in chain(*unknown_owner) if key.owner in deleted]
    unused = [
        unused_keys(group, usage, rules.unused_for)
        for rules, group in groups
        if rules.unused_for is not None
    ]
    if unused:
        yield "unused_for", [*chain(*unused)]


def _surplus(keys: Sequence[Key], groups: Sequence[KeysWithRules]) -> list[Key]:
    """Return the keys beyond the newest ones that an owner may have for a resource.

    They are usually left over from an unfinished rotation or a failed creation. Keys without a
    creation time count as the oldest. All keys count, and each is compared with the limit of its
    own rules.
    """
    usual = _most_keys(groups[-1][0])
    limits = {
        key.id: limit
        for rules, group in groups
        if (limit := _most_keys(rules)) != usual
        for key in group
    }
    newer: dict[tuple[str, str], int] = {}
    surplus = []
    for key in reversed(keys):
        most = limits.get(key.id, usual) if limits else usual
        beyond = False
        for resource in key.resources:
            pair = key.owner.id, resource.id
            newer[pair] = count = newer.get(pair, 0) + 1
            beyond = beyond or count > most
        if beyond:
            surplus.append(key)
    return surplus


def _most_keys(rules: Rules) -> float:
    limit = rules.max_keys_per_owner_and_resource
    return inf if limit is None else limit


def _deleted_owners(
    keys: Collection[Key],
    owners: Collection[Owner],
    directory: Directory,
    kinds: Collection[str],
) -> frozenset[Owner]:
    """Return the deleted ones among ``owners``, which are those of ``keys``.

    An owner was deleted if a complete listing of its kind lacks it, although one of its keys is
    older than the listing. The service account of the audit log is never listed, see
    ``docs/confluent-cloud-api.md#owner-kinds``. All of its keys are for Kafka clusters without an
    environment.
    """
    unlisted = {
        owner
        for owner in owners
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
