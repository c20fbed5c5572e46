"""A cache of the decoded pages of the previous listing."""

from __future__ import annotations

from array import array
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from exporter.confluent.endpoints import API_KEYS, Listing
from exporter.confluent.wire import ApiKey, Page, PageDecoder
from exporter.inventory import Key, key_from

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


_DECODER = PageDecoder(ApiKey)
_NO_HASHES = array("q")


class _CachedPage(NamedTuple):
    page: Page[Key]
    hashes: array[int]
    """Of the bytes of its items, in their order; empty if an item was repaired or unreadable."""


class PageCache:
    """Decodes pages into keys; what the previous complete listing contains is not decoded again.

    Most organizations do not change between two refreshes, and decoding is half of what a refresh
    costs besides its requests. A page is looked up by its SHA-256 digest. It costs the memory of a
    tuple and 8 bytes per key, since the state holds its keys anyway.

    A created or deleted key moves the keys on all later pages. The items of a changed page are
    therefore looked up in the pages around the same position of the previous listing. Python's
    64-bit hash of their bytes is enough for the few items that are compared. Any other item is
    decoded. If its key is unchanged, it is replaced by the equal one of the previous listing, so
    that only one of the two stays in memory.
    """

    def __init__(self) -> None:
        self._previous: dict[bytes, _CachedPage] = {}
        self._previous_order: Sequence[_CachedPage] = ()
        self._current: dict[bytes, _CachedPage] = {}
        self._position = 0
        """In the current listing, of the page that is decoded next."""
        self._previous_keys: Mapping[str, Key] = {}

    def listing(self, previous_keys: Mapping[str, Key]) -> Listing[Key]:
        """Return the listing of the keys, for a walk that begins now.

        ``previous_keys``: the keys of the previous listing, by id.
        """
        self._current = {}
        self._position = 0
        self._previous_order = tuple(self._previous.values())
        self._previous_keys = previous_keys
        return Listing(API_KEYS.endpoint, self)

    def keep(self) -> None:
        """Keep the pages of the walk, which is complete, for the next one."""
        self._previous, self._current = self._current, {}
        self._previous_order = ()
        self._previous_keys = {}

    def decode(self, body: bytes) -> Page[Key]:
        """See :meth:`~exporter.confluent.wire.PageDecoder.decode`."""
        digest = sha256(body).digest()
        cached = self._previous.get(digest)
        if cached is None:
            cached = self._decoded(body)
        self._current[digest] = cached
        self._position += 1
        return cached.page

    def _decoded(self, body: bytes) -> _CachedPage:
        try:
            read = _DECODER.split(body)
            hashes = array("q", map(hash, read.items))
            near = self._keys_near()
            keys = tuple(
                near.get(item_hash) or self._shared(key_from(_DECODER.decode_item(raw)))
                for item_hash, raw in zip(hashes, read.items, strict=True)
            )
        except (ValueError, RecursionError):
            whole = _DECODER.decode(body)
            keys = tuple(self._shared(key_from(item)) for item in whole.items)
            page = Page(keys, whole.next, whole.total_size, whole.unreadable)
            return _CachedPage(page, _NO_HASHES)
        return _CachedPage(Page(keys, read.next, read.total_size), hashes)

    def _keys_near(self) -> Mapping[int, Key]:
        """Return the keys of the previous listing around the same position, by hash."""
        around = slice(max(0, self._position - 1), self._position + 2)
        return {
            item_hash: key
            for cached in self._previous_order[around]
            for item_hash, key in zip(cached.hashes, cached.page.items, strict=False)
        }

    def _shared(self, key: Key) -> Key:
        previous = self._previous_keys.get(key.id)
        return previous if previous is not None and previous == key else key
