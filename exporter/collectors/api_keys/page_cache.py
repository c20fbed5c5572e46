"""A cache of the decoded pages of the previous listing."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from exporter.confluent.endpoints import API_KEYS, Listing
from exporter.confluent.wire import Page
from exporter.inventory import Key, key_from

if TYPE_CHECKING:
    from collections.abc import Mapping


class PageCache:
    """Decodes pages into keys; a page of the previous complete listing is not decoded again.

    Most organizations do not change between two refreshes, and decoding is half of what a refresh
    costs besides its requests. A page is looked up by its SHA-256 digest. It costs the memory of a
    tuple, since the state holds its keys anyway. On a changed page, each unchanged key is replaced
    by the equal one of the previous listing, so that only one of the two stays in memory.
    """

    def __init__(self) -> None:
        self._previous: dict[bytes, Page[Key]] = {}
        self._current: dict[bytes, Page[Key]] = {}
        self._previous_keys: Mapping[str, Key] = {}

    def listing(self, previous_keys: Mapping[str, Key]) -> Listing[Key]:
        """Return the listing of the keys, for a walk that begins now.

        ``previous_keys``: the keys of the previous listing, by id.
        """
        self._current = {}
        self._previous_keys = previous_keys
        return Listing(API_KEYS.endpoint, self)

    def keep(self) -> None:
        """Keep the pages of the walk, which is complete, for the next one."""
        self._previous, self._current = self._current, {}
        self._previous_keys = {}

    def decode(self, body: bytes) -> Page[Key]:
        """See :meth:`~exporter.confluent.wire.PageDecoder.decode`."""
        digest = sha256(body).digest()
        page = self._previous.get(digest)
        if page is None:
            read = API_KEYS.decoder.decode(body)
            keys = tuple(self._shared(key_from(item)) for item in read.items)
            page = Page(keys, read.next, read.total_size, read.unreadable)
        self._current[digest] = page
        return page

    def _shared(self, key: Key) -> Key:
        previous = self._previous_keys.get(key.id)
        return previous if previous is not None and previous == key else key
