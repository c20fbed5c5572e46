"""Pages of keys that came before as they come now."""

from __future__ import annotations

from hashlib import sha256

from exporter.confluent.client import API_KEYS, Listing
from exporter.confluent.wire import Page
from exporter.inventory import Key, key_of


class KnownPages:
    """Decodes pages into keys; those that the walk before had, byte by byte, only once.

    From one refresh to the next, most organizations change nothing, and decoding is half of what a
    refresh costs besides the requests. A page is known by its digest, which nobody can forge, and
    costs the memory of a tuple: its keys are held anyway.
    """

    def __init__(self) -> None:
        self._before: dict[bytes, Page[Key]] = {}
        self._now: dict[bytes, Page[Key]] = {}

    def listing(self) -> Listing[Key]:
        """Return the listing of the keys, for a walk that begins now."""
        if self._now:
            self._before, self._now = self._now, {}
        return Listing(API_KEYS.endpoint, self)

    def decode(self, body: bytes) -> Page[Key]:
        """As :meth:`~exporter.confluent.wire.PageDecoder.decode`."""
        digest = sha256(body).digest()
        page = self._before.get(digest)
        if page is None:
            read = API_KEYS.decoder.decode(body)
            keys = tuple(map(key_of, read.items))
            page = Page(keys, read.next, read.total_size, read.unreadable)
        self._now[digest] = page
        return page
