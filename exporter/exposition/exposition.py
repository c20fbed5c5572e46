"""The exposition as a whole: the prepared document, then what is live."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from exporter.exposition.prepared import Document, Rendered, render, weave

if TYPE_CHECKING:
    from collections.abc import Collection

    from exporter.clock import Clock
    from exporter.exposition.instruments import Instruments
    from exporter.exposition.text import Format
    from exporter.refresh.state import OrganizationState


class Exposition:
    """What a scrape gets. Scrapes neither wait for a refresh nor start one."""

    def __init__(self, *, clock: Clock, instruments: Instruments) -> None:
        self._clock = clock
        self._instruments = instruments
        self._rendered: dict[str, Rendered] = {}
        self._document: Document | None = None
        """Of what is rendered now; None if that has changed since."""

    async def publish(self, state: OrganizationState) -> None:
        """Serve ``state`` from now on; renders off the event loop."""
        self._rendered[state.name] = await asyncio.to_thread(render, state)
        self._document = None

    def retain(self, organizations: Collection[str]) -> None:
        """Forget every organization but these."""
        for name in self._rendered.keys() - set(organizations):
            del self._rendered[name]
        self._document = None

    def scrape(self, form: Format, *, gzip: bool) -> bytes:
        """Return the exposition of this moment, as one gzip member if ``gzip``."""
        now = self._clock.monotonic()
        document = self._document
        if document is None or now >= document.fresh_until:
            # However many refreshes there were since the last scrape: bytes are copied, once.
            rendered = [self._rendered[name] for name in sorted(self._rendered)]
            document = self._document = weave(rendered, now=now)
        live = self._instruments.render(form)
        return document.gzip(live) if gzip else document.plain + live
