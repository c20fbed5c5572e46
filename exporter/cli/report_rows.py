"""The rows of a report: the keys of an organization with their policy violations, and filters."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import translate
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from exporter.inventory import findings_of, plausible_creation, plausible_expiry, with_environments

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from exporter.inventory import Directory, Key, Resource, Rules

_DAY = 86_400


class ListedKey(NamedTuple):
    """A key with the texts that only a report shows. Missing texts are empty."""

    key: Key
    display_name: str
    description: str


class ReportedResource(NamedTuple):
    """A resource that a key gives access to, with its names; None if unknown."""

    id: str
    kind: str
    environment_id: str
    """Empty if the resource is in no environment, or in an unknown one."""
    name: str | None
    environment_name: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """One key. Texts are as the API returned them; each output format escapes them."""

    organization: str
    api_key_id: str
    owner_id: str
    owner_kind: str
    owner_name: str | None
    resources: tuple[ReportedResource, ...]
    display_name: str | None
    description: str | None
    created_at: float | None
    """Unix seconds; None if the API returns no valid time."""
    expires_at: float | None
    """Unix seconds; None also for a key that does not expire."""
    age: float | None
    """Seconds."""
    policies: tuple[str, ...]
    """The policies that the key violates without an exemption, sorted."""
    exempted: tuple[str, ...]
    """The policies that the key violates but is exempt from, sorted."""

    @property
    def age_days(self) -> int | None:
        """Age in whole days, rounded down."""
        return None if self.age is None else int(self.age // _DAY)


def build_rows(
    organization: str,
    listed: Collection[ListedKey],
    rules: Rules,
    *,
    directory: Directory,
    now: float,
) -> list[Row]:
    """Return a row for each key of ``organization`` at the Unix time ``now``.

    Sorted by creation, the oldest first, then by id. Keys of unknown creation come first. Policies
    are judged as for the metrics, so that the rows add up to them.
    """
    keys = with_environments([each.key for each in listed], directory)
    violated: defaultdict[str, list[str]] = defaultdict(list)
    exempted: defaultdict[str, list[str]] = defaultdict(list)
    for finding in findings_of(keys, rules, directory=directory, now=now):
        (exempted if finding.exempted else violated)[finding.key.id].append(finding.policy)

    def row(key: Key, display_name: str, description: str) -> Row:
        created_at = plausible_creation(key.created_at, now=now)
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
            expires_at=plausible_expiry(key.expires_at, now=now),
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
    """Filters for rows, all of which must match.

    Patterns are shell-style and case-sensitive. They match ids or names; ``*`` does not match a
    missing one. Ages are in seconds and inclusive; no age filter matches a key of unknown age.
    """

    owners: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    min_age: float | None = None
    max_age: float | None = None

    def apply(self, rows: Iterable[Row]) -> list[Row]:
        """Return the ``rows`` that match, in their order."""
        return [row for row in rows if self._matches(row)]

    def _matches(self, row: Row) -> bool:
        return (
            self._matches_age(row.age)
            and self._matches_owner(row.owner_id, row.owner_name)
            # The same resource must match both filters.
            and any(
                self._matches_resource(resource.id, resource.name)
                and self._matches_environment(resource.environment_id, resource.environment_name)
                for resource in row.resources
            )
        )

    def _matches_age(self, age: float | None) -> bool:
        if self.min_age is None and self.max_age is None:
            return True
        if age is None or (self.min_age is not None and age < self.min_age):
            return False
        return self.max_age is None or age <= self.max_age

    @cached_property
    def _matches_owner(self) -> Callable[..., bool]:
        return _matcher(self.owners)

    @cached_property
    def _matches_resource(self) -> Callable[..., bool]:
        return _matcher(self.resources)

    @cached_property
    def _matches_environment(self) -> Callable[..., bool]:
        return _matcher(self.environments)


def _matcher(patterns: tuple[str, ...]) -> Callable[..., bool]:
    """Return a function that tells whether any of its texts matches any of ``patterns``.

    Without patterns, everything matches.
    """
    if not patterns:
        return lambda *_: True
    match = re.compile("|".join(map(translate, patterns))).match
    return lambda *texts: any(match(text) is not None for text in texts if text)


def violating(rows: Iterable[Row], policies: Collection[str]) -> list[Row]:
    """Return the ``rows`` that violate any of ``policies``, in their order."""
    return [row for row in rows if any(policy in policies for policy in row.policies)]


def iso8601(seconds: float | None) -> str | None:
    """Return Unix seconds as an ISO 8601 time in UTC, rounded down to the second."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")[:-6] + "Z"
