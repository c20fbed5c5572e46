"""Which policies are enabled for which keys, and which keys are exempt from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from exporter.inventory.patterns import matcher

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.inventory.keys import Key

POLICIES = (
    "max_age",
    "expires_within",
    "expired",
    "max_keys_per_owner_and_resource",
    "user_owned",
    "undescribed",
    "unknown_owner",
    "unused_for",
)
"""The names of all policies: their settings, and the values of the label ``policy``."""


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
    unused_for: float | None = None
    exempt_owners: tuple[str, ...] = ()
    """Shell-style patterns of ids, as in the next two."""
    exempt_resources: tuple[str, ...] = ()
    exempt_api_keys: tuple[str, ...] = ()
    overrides: tuple[Override, ...] = ()
    """Other rules for some keys; the first that matches a key applies. Exemptions are the same."""

    def active(self) -> tuple[str, ...]:
        """Return the policies that are enabled for any key."""
        all_rules = (self, *(override.rules for override in self.overrides))
        return tuple(
            name
            for name in POLICIES
            if any(getattr(rules, name) not in {None, False} for rules in all_rules)
        )

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
        return matcher(self.exempt_owners)

    @cached_property
    def _exempt_resources(self) -> Callable[[str], object]:
        return matcher(self.exempt_resources)

    @cached_property
    def _exempt_api_keys(self) -> Callable[[str], object]:
        return matcher(self.exempt_api_keys)


@dataclass(frozen=True)
class Override:
    """The rules of the keys that match. With patterns of both kinds, both must match."""

    rules: Rules
    """All of them, including those that are the same as the organization's."""
    owners: tuple[str, ...] = ()
    """Shell-style patterns of ids; empty for all owners."""
    resources: tuple[str, ...] = ()
    """As ``owners``. A key matches if all of its resources do."""

    def matches(self, key: Key) -> bool:
        """Whether these are the rules of ``key``, unless an earlier override matches."""
        return (not self.owners or bool(self._match_owner(key.owner.id))) and (
            not self.resources
            or all(self._match_resource(resource.id) for resource in key.resources)
        )

    @cached_property
    def _match_owner(self) -> Callable[[str], object]:
        return matcher(self.owners)

    @cached_property
    def _match_resource(self) -> Callable[[str], object]:
        return matcher(self.resources)
