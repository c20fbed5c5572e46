"""Records in the order in which the API lists them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")


class Records(Mapping[str, T]):
    """Records sorted by a unique key, which ``sort_key`` takes from a record; default: ``id``.

    Raises ``ValueError`` if two records have the same key.
    """

    def __init__(
        self, records: Iterable[T] = (), *, sort_key: Callable[[T], str] = attrgetter("id")
    ) -> None:
        self.sort_key = sort_key
        self.changes = 0
        """The number of changes so far, so that results derived from the records can be cached."""
        self._records: dict[str, T] = {}
        for record in records:
            self._insert(record)
        self._order = sorted(self._records)

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[str]:
        return iter(self._order)

    def __contains__(self, key: object) -> bool:
        return key in self._records

    def __getitem__(self, key: str) -> T:
        return self._records[key]

    def at(self, index: int) -> T:
        """Return the record at a position, counted from 0. Raises ``IndexError``."""
        return self._records[self._order[index]]

    def after(self, key: str) -> Iterator[T]:
        """Return the records that sort after ``key``, whether or not ``key`` exists."""
        start = bisect_right(self._order, key)
        return (self._records[self._order[index]] for index in range(start, len(self._order)))

    def add(self, record: T) -> None:
        """Add a record. Raises ``ValueError`` if its key is taken."""
        self._insert(record)
        insort(self._order, self.sort_key(record))
        self.changes += 1

    def remove(self, key: str) -> T:
        """Remove and return a record. Raises ``KeyError`` if there is none."""
        record = self._records.pop(key)
        del self._order[bisect_left(self._order, key)]
        self.changes += 1
        return record

    def replace(self, record: T) -> None:
        """Replace the record that has the same key. Raises ``KeyError`` if there is none."""
        key = self.sort_key(record)
        if key not in self._records:
            raise KeyError(key)
        self._records[key] = record
        self.changes += 1

    def _insert(self, record: T) -> None:
        key = self.sort_key(record)
        if key in self._records:
            raise ValueError(f"{key} already exists")
        self._records[key] = record
