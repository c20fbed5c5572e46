"""The order of the keys of several organizations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from exporter.inventory import Key
    from exporter.report.rows import OrganizationKeys


class Entry(NamedTuple):
    """A selected key."""

    organization: int
    """Its position among the organizations."""
    key: Key


@dataclass(frozen=True)
class Sorting:
    """A field to sort by, one of :data:`SORT_FIELDS`."""

    field: str
    descending: bool = False


Value = str | float | None


def _owner(listed: OrganizationKeys) -> Callable[[Key], Value]:
    return lambda key: (
        listed.directory.owner_name(key.owner.id) or key.owner.id or None  # as the page shows it
    )


def _resource(listed: OrganizationKeys) -> Callable[[Key], Value]:
    return lambda key: listed.directory.resource_name(key.resources[0].id) or key.resources[0].id


def _environment(listed: OrganizationKeys) -> Callable[[Key], Value]:
    environments = listed.directory.environments

    def environment(key: Key) -> Value:
        environment_id = key.resources[0].environment_id
        return environments.get(environment_id) or environment_id or None

    return environment


def _age(listed: OrganizationKeys) -> Callable[[Key], Value]:
    def age(key: Key) -> Value:
        created_at = listed.created_at(key)
        return None if created_at is None else listed.at - created_at

    return age


_VALUES: Mapping[str, Callable[[OrganizationKeys], Callable[[Key], Value]]] = {
    "organization": lambda listed: lambda _: listed.organization,
    "api_key": lambda _: lambda key: key.id,
    "owner": _owner,
    "resource": _resource,
    "environment": _environment,
    "age": _age,
    "expiry": lambda listed: listed.expires_at,
}
SORT_FIELDS = tuple(_VALUES)


def sorted_entries(
    selected: Sequence[tuple[OrganizationKeys, Iterable[Key]]], sorting: Sorting | None
) -> list[Entry]:
    """Return the ``selected`` keys of all organizations, sorted.

    Without ``sorting``, as in :func:`~exporter.report.rows.build_rows`: by organization, the oldest
    key first, then by id. With it, keys that are equal stay in that order, and keys without a value
    come last in both directions.
    """
    entries = [
        Entry(position, key)
        for position, (listed, keys) in enumerate(selected)
        for key in _oldest_first(listed, keys)
    ]
    if sorting is None:
        return entries
    values = [_VALUES[sorting.field](listed) for listed, _ in selected]
    found = [(values[entry.organization](entry.key), entry) for entry in entries]
    known = [each for each in found if each[0] is not None]
    known.sort(key=lambda each: each[0], reverse=sorting.descending)  # type: ignore[arg-type,return-value] # none is None, and all have one type
    return [*(entry for _, entry in known), *(entry for value, entry in found if value is None)]


def _oldest_first(listed: OrganizationKeys, keys: Iterable[Key]) -> list[Key]:
    ordered = sorted(keys, key=lambda key: key.id)
    return sorted(ordered, key=lambda key: listed.created_at(key) or 0.0)
