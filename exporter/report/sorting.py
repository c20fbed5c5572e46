"""The order of the selected keys of several organizations."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from dataclasses import dataclass
from heapq import merge
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from exporter.inventory import Key
    from exporter.report.rows import OrganizationKeys, Row

_RUN = 4096
"""Keys that are sorted without a break, which takes about two milliseconds."""
Value = str | float | None


@dataclass(frozen=True)
class Sorting:
    """A field to sort by, one of :data:`SORT_FIELDS`."""

    field: str
    descending: bool = False


class SelectedKeys:
    """The selected keys of some organizations, sorted. Rows are created on demand.

    ``parts``: each organization with its selected keys, in the order of its ``keys``. Without
    ``sorting``, this order is kept. With it, keys that are equal stay in that order, and keys
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
        self._values = [] if sorting is None else self._values_of(parts, sorting)
        self._descending = sorting is not None and sorting.descending

    def __len__(self) -> int:
        return len(self._keys)

    @staticmethod
    def _values_of(
        parts: Sequence[tuple[OrganizationKeys, Sequence[Key]]], sorting: Sorting
    ) -> list[Value]:
        of_field = _VALUES[sorting.field]
        return [value for listed, keys in parts for value in map(of_field(listed), keys)]

    def _order(self) -> Iterator[int]:
        """Yield the positions of the keys, sorted."""
        values, descending = self._values, self._descending
        if not values:
            yield from range(len(self))
            return
        by_value: Callable[[int], Any] = values.__getitem__
        known = [each for each, value in enumerate(values) if value is not None]
        # One long sort would hold the GIL and so delay scrapes. The merge is lazy, and most pages
        # need only its beginning.
        runs = [
            sorted(known[first : first + _RUN], key=by_value, reverse=descending)
            for first in range(0, len(known), _RUN)
        ]
        yield from merge(*runs, key=by_value, reverse=descending)
        yield from (each for each, value in enumerate(values) if value is None)

    def rows(self, first: int, end: int) -> list[Row]:
        """Return the rows from position ``first`` until before ``end``."""
        found = [
            (self._organizations[bisect_right(self._ends, each)], self._keys[each])
            for each in islice(self._order(), first, end)
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
        order = array("I", self._order())  # a slow client holds it for long
        for first in range(0, len(order), size):
            batch = []
            for each in order[first : first + size]:
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
    "team": lambda listed: listed.team,
    "resource": _by_resource,
    "environment": _by_environment,
    "age": _by_age,
    "expiry": lambda listed: listed.expires_at,
}
"""By field, the values to sort by. Of several resources, the first one counts."""
SORT_FIELDS = tuple(_VALUES)
