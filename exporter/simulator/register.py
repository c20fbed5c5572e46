"""Records in the order in which the API lists them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from operator import attrgetter
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")


class Register(Generic[T]):
    """Records by name, in the order of their names; ``name`` takes it from a record, as ``id``.

    Raises ``ValueError`` if two records have the same name.
    """

    def __init__(
        self, records: Iterable[T] = (), *, name: Callable[[T], str] = attrgetter("id")
    ) -> None:
        self.name = name
        self.changes = 0
        """Counted, so that what is worked out from the records can be kept until the next one."""
        self._records: dict[str, T] = {}
        for record in records:
            self._put(record)
        self._order = sorted(self._records)
        self._snapshot: dict[str, T] | None = None

    def __len__(self) -> int:
        return len(self._order)

    def __contains__(self, name: object) -> bool:
        return name in self._records

    def __getitem__(self, name: str) -> T:
        return self._records[name]

    def at(self, index: int) -> T:
        """Return the record at a place, counted from 0. Raises ``IndexError``."""
        return self._records[self._order[index]]

    def after(self, name: str) -> Iterator[T]:
        """Return the records behind ``name``, whether or not there is one of that name."""
        order = self._order
        return (
            self._records[order[index]] for index in range(bisect_right(order, name), len(order))
        )

    def snapshot(self) -> dict[str, T]:
        """Return the records by name, in order, as they are now."""
        if self._snapshot is None:
            self._snapshot = {name: self._records[name] for name in self._order}
        return self._snapshot

    def add(self, record: T) -> None:
        """Add a record. Raises ``ValueError`` if its name is taken."""
        self._put(record)
        insort(self._order, self.name(record))
        self._changed()

    def remove(self, name: str) -> T:
        """Remove and return a record. Raises ``KeyError`` if there is none."""
        record = self._records.pop(name)
        del self._order[bisect_left(self._order, name)]
        self._changed()
        return record

    def replace(self, record: T) -> None:
        """Put a record in the place of its namesake. Raises ``KeyError`` if there is none."""
        name = self.name(record)
        if name not in self._records:
            raise KeyError(name)
        self._records[name] = record
        self._changed()

    def _put(self, record: T) -> None:
        name = self.name(record)
        if name in self._records:
            raise ValueError(f"there is {name} already")
        self._records[name] = record

    def _changed(self) -> None:
        self._snapshot = None
        self.changes += 1
