"""The rows of a report: every key of an organization, judged, and which of them are wanted."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import translate
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from exporter.inventory import believable_creation, believable_expiry, findings_of, place

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from exporter.inventory import Directory, Key, Resource, Rules

_DAY = 86_400


class ListedKey(NamedTuple):
    """A key with the texts that only a report shows; they are empty where there are none."""

    key: Key
    display_name: str
    description: str


class ReportedResource(NamedTuple):
    """What a key opens, with the names that are known of it."""

    id: str
    kind: str
    environment_id: str
    """Empty where the resource is in no environment, or nothing tells in which."""
    name: str | None
    environment_name: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """One key. Texts are as the network brought them; a writer makes them fit for its reader."""

    organization: str
    api_key_id: str
    owner_id: str
    owner_kind: str
    owner_name: str | None
    resources: tuple[ReportedResource, ...]
    display_name: str | None
    description: str | None
    created_at: float | None
    """Unix seconds; None where the API does not say, or says what cannot be."""
    expires_at: float | None
    """As ``created_at``; None also for a key that does not expire."""
    age: float | None
    """Seconds."""
    policies: tuple[str, ...]
    """The policies it violates, sorted; none that an exemption silences."""
    exempted: tuple[str, ...]
    """The policies it would violate without its exemption, sorted."""

    @property
    def age_days(self) -> int | None:
        """Whole days, rounded down."""
        return None if self.age is None else int(self.age // _DAY)


def rows_of(
    organization: str,
    listed: Collection[ListedKey],
    rules: Rules,
    *,
    directory: Directory,
    now: float,
) -> list[Row]:
    """Return the keys of ``organization`` as they are at the Unix time ``now``.

    The oldest come first, those of unknown creation before them; ties go by id. The judgement is
    the exporter's own, so that the rows add up to its metrics.
    """
    keys = place([each.key for each in listed], directory)
    violated: defaultdict[str, list[str]] = defaultdict(list)
    exempted: defaultdict[str, list[str]] = defaultdict(list)
    for finding in findings_of(keys, rules, directory=directory, now=now):
        (exempted if finding.exempted else violated)[finding.key.id].append(finding.policy)

    def row(key: Key, display_name: str, description: str) -> Row:
        created_at = believable_creation(key.created_at, now=now)
        return Row(
            organization=organization,
            api_key_id=key.id,
            owner_id=key.owner.id,
            owner_kind=key.owner.kind,
            owner_name=directory.owner_name(key.owner.id),
            resources=tuple(_reported(resource, directory) for resource in key.resources),
            display_name=display_name or None,
            description=description or None,
            created_at=created_at,
            expires_at=believable_expiry(key.expires_at, now=now),
            age=None if created_at is None else max(0.0, now - created_at),
            policies=tuple(sorted(violated.get(key.id, ()))),
            exempted=tuple(sorted(exempted.get(key.id, ()))),
        )

    rows = [row(key, *texts) for key, (_, *texts) in zip(keys, listed, strict=True)]
    return sorted(
        rows, key=lambda row: (row.created_at is not None, row.created_at or 0.0, row.api_key_id)
    )


def _reported(resource: Resource, directory: Directory) -> ReportedResource:
    return ReportedResource(
        resource.id,
        resource.kind,
        resource.environment_id,
        name=directory.resource_name(resource.id),
        environment_name=directory.environments.get(resource.environment_id) or None,
    )


@dataclass(frozen=True)
class Selection:
    """Which keys are wanted: those for which everything that is given holds.

    The patterns are shell-style, of ids or names, with regard to case; a key that has neither
    matches none. Ages are in seconds, inclusive; a key of unknown age is within no limits.
    """

    owners: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    min_age: float | None = None
    max_age: float | None = None

    def of(self, rows: Iterable[Row]) -> list[Row]:
        """Return those of ``rows`` that are wanted, in their order."""
        return [row for row in rows if self._wants(row)]

    def _wants(self, row: Row) -> bool:
        return (
            self._wants_age(row.age)
            and self._wants_owner(row.owner_id, row.owner_name)
            # One and the same resource has to match both.
            and any(
                self._wants_resource(resource.id, resource.name)
                and self._wants_environment(resource.environment_id, resource.environment_name)
                for resource in row.resources
            )
        )

    def _wants_age(self, age: float | None) -> bool:
        if self.min_age is None and self.max_age is None:
            return True
        if age is None or (self.min_age is not None and age < self.min_age):
            return False
        return self.max_age is None or age <= self.max_age

    @cached_property
    def _wants_owner(self) -> Callable[..., bool]:
        return _matcher(self.owners)

    @cached_property
    def _wants_resource(self) -> Callable[..., bool]:
        return _matcher(self.resources)

    @cached_property
    def _wants_environment(self) -> Callable[..., bool]:
        return _matcher(self.environments)


def _matcher(patterns: tuple[str, ...]) -> Callable[..., bool]:
    """Return whether any of some texts matches any of ``patterns``; without one, all do."""
    if not patterns:
        return lambda *_: True
    match = re.compile("|".join(map(translate, patterns))).match
    return lambda *texts: any(match(text) is not None for text in texts if text)


def violating(rows: Iterable[Row], policies: Collection[str]) -> list[Row]:
    """Return those of ``rows`` that violate any of ``policies``, in their order."""
    return [row for row in rows if any(policy in policies for policy in row.policies)]


def iso(seconds: float | None) -> str | None:
    """Return a Unix time as ISO 8601 in UTC, to the second."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")[:-6] + "Z"
