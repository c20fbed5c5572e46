"""The order of the selected keys of several organizations."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from exporter.inventory import Key
    from exporter.report.rows import OrganizationKeys, Row

Value = str | float | None


@dataclass(frozen=True)
class Sorting:
    """A field to sort by, one of :data:`SORT_FIELDS`."""

    field: str
    descending: bool = False


class SelectedKeys:
    """The selected keys of some organizations, sorted. Rows are made only when they are needed.

    ``parts``: each organization with its selected keys, in the order of its ``keys``. Without
    ``sorting``, that is the order. With it, keys that are equal stay in that order, and keys
    without a value come last in both directions.
    """

    def __init__(
        self,
        parts: Sequence[tuple[OrganizationKeys, Sequence[Key]]],
        sorting: Sorting | None = None,
    ) -> None:
        self._organizations = [listed for listed, _ in parts]
        self._keys = [key for _, keys in parts for key in keys]
        self._ends = [*accumulate(len(keys) for _, keys in parts)]
        self._order: Sequence[int] = range(len(self._keys))
        if sorting is not None:
            self._order = self._sorted(parts, sorting)

    def __len__(self) -> int:
        return len(self._keys)

    def _sorted(
        self, parts: Sequence[tuple[OrganizationKeys, Sequence[Key]]], sorting: Sorting
    ) -> array[int]:
        values: list[Value] = []
        for listed, keys in parts:
            values += map(_VALUES[sorting.field](listed), keys)
        known = [each for each, value in enumerate(values) if value is not None]
        known.sort(key=values.__getitem__, reverse=sorting.descending)  # type: ignore[arg-type] # none of them is None
        unknown = (each for each, value in enumerate(values) if value is None)
        return array("I", [*known, *unknown])  # a slow client holds it for long

    def rows(self, first: int, end: int) -> list[Row]:
        """Return the rows from position ``first`` until before ``end``."""
        found = [
            (self._organizations[bisect_right(self._ends, each)], self._keys[each])
            for each in self._order[first:end]
        ]
        policies = {
            listed.organization: listed.policies_of([key for of, key in found if of is listed])
            for listed in {id(listed): listed for listed, _ in found}.values()
        }
        return [listed.row(key, policies[listed.organization]) for listed, key in found]

    def batches(self, size: int) -> Iterator[list[Row]]:
        """Yield all rows, at most ``size`` at a time."""
        ends = [0, *self._ends]
        policies = [
            listed.policies_of(self._keys[first:end])
            for listed, first, end in zip(self._organizations, ends, ends[1:], strict=False)
        ]
        for first in range(0, len(self), size):
            batch = []
            for each in self._order[first : first + size]:
                position = bisect_right(self._ends, each)
                listed = self._organizations[position]
                batch.append(listed.row(self._keys[each], policies[position]))
            yield batch


def _by_owner(listed: OrganizationKeys) -> Callable[[Key], Value]:
    name = listed.directory.owner_name
    return lambda key: name(key.owner.id) or key.owner.id or None


def _by_resource(listed: OrganizationKeys) -> Callable[[Key], Value]:
    name = listed.directory.resource_name
    return lambda key: name(key.resources[0].id) or key.resources[0].id or None


def _by_environment(listed: OrganizationKeys) -> Callable[[Key], Value]:
    name = listed.directory.environments.get

    def value(key: Key) -> Value:
        environment_id = key.resources[0].environment_id
        return name(environment_id) or environment_id or None

    return value


def _by_age(listed: OrganizationKeys) -> Callable[[Key], Value]:
    def value(key: Key) -> Value:
        created_at = listed.created_at(key)
        return None if created_at is None else listed.at - created_at

    return value


_VALUES: Mapping[str, Callable[[OrganizationKeys], Callable[[Key], Value]]] = {
    "organization": lambda listed: lambda _: listed.organization,
    "api_key": lambda _: lambda key: key.id,
    "owner": _by_owner,
    "resource": _by_resource,
    "environment": _by_environment,
    "age": _by_age,
    "expiry": lambda listed: listed.expires_at,
}
"""By field, the values to sort by. Of several resources, the first one counts."""
SORT_FIELDS = tuple(_VALUES)
