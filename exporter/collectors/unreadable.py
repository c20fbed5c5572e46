"""Log lines about unreadable items: a few in full, then the number of the others."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Collection

    from exporter.confluent.wire import UnreadableItem

log = structlog.get_logger(__name__)
_LOGGED = 10  # per endpoint and refresh; a broken listing would fill the disk


class UnreadableLog:
    """Logs the unreadable items of one refresh."""

    def __init__(self) -> None:
        self._items: Counter[str] = Counter()

    @property
    def endpoints(self) -> Collection[str]:
        """The endpoints that had unreadable items."""
        return self._items.keys()

    def add(self, endpoint: str, items: Collection[UnreadableItem]) -> None:
        """Log ``items`` of ``endpoint``, up to the limit of one refresh."""
        if not items:
            return
        for item in islice(items, max(0, _LOGGED - self._items[endpoint])):
            log.warning(
                "unreadable item; it is ignored", endpoint=endpoint, id=item.id, error=item.problem
            )
        self._items[endpoint] += len(items)

    def summarize(self) -> None:
        """Log the number of items of each endpoint that were not logged."""
        for endpoint, count in self._items.items():
            if count > _LOGGED:
                log.warning(
                    "more unreadable items; they are ignored too",
                    endpoint=endpoint,
                    items=count - _LOGGED,
                )
