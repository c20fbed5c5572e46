"""A bounded queue that serves its groups in turn."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """Holds at most ``per_group`` items of each group and ``total`` items in all."""

    def __init__(self, *, total: int, per_group: int) -> None:
        self._total, self._per_group = total, per_group
        self._size = 0
        self._groups: dict[str, deque[T]] = {}
        """Non-empty deques by group. The first group is served next."""

    def __len__(self) -> int:
        return self._size

    def put(self, group: str, item: T) -> T | None:
        """Add ``item``; return the item that was rejected or removed, None if all of them fit.

        If the group is full, ``item`` is rejected. If the queue is full, the latest item of the
        largest group is removed, so that one group cannot keep the others out.
        """
        own = len(self._groups.get(group, ()))
        if own >= self._per_group:
            return item
        displaced = None
        if self._size >= self._total:
            largest = max(self._groups, key=lambda each: len(self._groups[each]))
            if len(self._groups[largest]) <= own + 1:
                return item
            displaced = self._groups[largest].pop()
            self._size -= 1
        self._groups.setdefault(group, deque()).append(item)
        self._size += 1
        return displaced

    def pop(self) -> T:
        """Remove and return the oldest item of the group that was served longest ago."""
        group = next(iter(self._groups))
        items = self._groups.pop(group)
        item = items.popleft()
        if items:
            self._groups[group] = items
        self._size -= 1
        return item

    def discard(self, group: str, item: T) -> bool:
        """Remove ``item``; return whether it was in the queue."""
        items = self._groups.get(group)
        if items is None or item not in items:
            return False
        items.remove(item)
        if not items:
            del self._groups[group]
        self._size -= 1
        return True
