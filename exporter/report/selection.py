"""Filters for the keys of a report."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import translate
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from exporter.inventory import Key, Owner, Resource
    from exporter.report.rows import OrganizationKeys, ReportedResource, Row

_MAGIC = re.compile(r"[*?[]")


@dataclass(frozen=True)
class Selection:
    """Filters for keys. All of them must match.

    Patterns are shell-style and case-sensitive. They match ids or names; ``*`` does not match a
    missing one. Ages are in seconds and inclusive; no age filter matches a key of unknown age.
    """

    owners: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    api_keys: tuple[str, ...] = ()
    """Patterns of ids only."""
    min_age: float | None = None
    max_age: float | None = None

    def apply(self, rows: Iterable[Row]) -> list[Row]:
        """Return the ``rows`` that match, in their order."""
        return [
            row
            for row in rows
            if self._matches_age(row.age)
            and self._matches_api_key(row.api_key_id)
            and self._matches_owner(row.owner_id, row.owner_name)
            and self._matches_team(row.team)
            and self._matches_any(row.resources)
        ]

    def keys(self, listed: OrganizationKeys) -> list[Key]:
        """Return the keys that match, in their order.

        Equal to :meth:`apply` on their rows, without creating rows. Does not filter by age.
        """
        directory = listed.directory
        owners: dict[Owner, bool] = {}
        resources: dict[tuple[Resource, ...], bool] = {}

        def is_owner(owner: Owner) -> bool:
            if owner not in owners:
                owners[owner] = self._matches_owner(owner.id, directory.owner_name(owner.id))
            return owners[owner]

        def has_resource(found: tuple[Resource, ...]) -> bool:
            if found not in resources:
                resources[found] = self._matches_any(map(listed.resource, found))
            return resources[found]

        keys = list(listed.keys)
        if self.api_keys:
            keys = [key for key in keys if self._matches_api_key(key.id)]
        if self.owners:
            keys = [key for key in keys if is_owner(key.owner)]
        if self.teams:
            keys = [key for key in keys if self._matches_team(listed.team(key))]
        if self.resources or self.environments:
            keys = [key for key in keys if has_resource(key.resources)]
        return keys

    def _matches_any(self, resources: Iterable[ReportedResource]) -> bool:
        # The same resource must match both filters.
        return any(
            self._matches_resource(resource.id, resource.name)
            and self._matches_environment(resource.environment_id, resource.environment_name)
            for resource in resources
        )

    def _matches_age(self, age: float | None) -> bool:
        if self.min_age is None and self.max_age is None:
            return True
        if age is None or (self.min_age is not None and age < self.min_age):
            return False
        return self.max_age is None or age <= self.max_age

    @cached_property
    def _matches_api_key(self) -> Callable[..., bool]:
        return matcher(self.api_keys)

    @cached_property
    def _matches_owner(self) -> Callable[..., bool]:
        return matcher(self.owners)

    @cached_property
    def _matches_team(self) -> Callable[..., bool]:
        return matcher(self.teams)

    @cached_property
    def _matches_resource(self) -> Callable[..., bool]:
        return matcher(self.resources)

    @cached_property
    def _matches_environment(self) -> Callable[..., bool]:
        return matcher(self.environments)


def matcher(patterns: tuple[str, ...]) -> Callable[..., bool]:
    """Return a function that returns whether any of its texts matches any of ``patterns``.

    Without patterns, everything matches.
    """
    if not patterns:
        return lambda *_: True
    match = re.compile("|".join(map(translate, patterns))).match
    return lambda *texts: any(match(text) is not None for text in texts if text)


def literal(text: str) -> str:
    """Return the pattern that matches ``text`` and nothing else."""
    return _MAGIC.sub(r"[\g<0>]", text)


def violating(rows: Iterable[Row], policies: Collection[str]) -> list[Row]:
    """Return the ``rows`` that violate any of ``policies``, in their order."""
    return [row for row in rows if any(policy in policies for policy in row.policies)]
