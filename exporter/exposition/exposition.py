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
        self._document = Document()
        self._weaving = asyncio.Lock()
        self._changes = 0
        self._woven = 0

    async def publish(self, state: OrganizationState) -> None:
        """Serve ``state`` instead of the organization's previous one.

        Renders off the event loop. Organizations that publish at the same time share one weaving.
        """
        self._rendered[state.name] = await asyncio.to_thread(render, state)
        await self._weave_off_the_loop()

    async def retain(self, organizations: Collection[str]) -> None:
        """Forget every organization but these."""
        for name in self._rendered.keys() - set(organizations):
            del self._rendered[name]
        await self._weave_off_the_loop()

    async def _weave_off_the_loop(self) -> None:
        self._changes += 1
        mine = self._changes
        async with self._weaving:
            if self._woven < mine:
                changes, rendered = self._changes, self._in_order()
                now = self._clock.monotonic()
                self._document = await asyncio.to_thread(weave, rendered, now=now)
                self._woven = changes

    def _in_order(self) -> tuple[Rendered, ...]:
        return tuple(self._rendered[name] for name in sorted(self._rendered))

    def scrape(self, form: Format, *, gzip: bool) -> bytes:
        """Return the exposition of this moment, as one gzip member if ``gzip``."""
        now = self._clock.monotonic()
        if now >= self._document.fresh_until:  # something went stale: copying without it is quick
            self._document = weave(self._in_order(), now=now)
        live = self._instruments.render(form)
        return self._document.gzip(live) if gzip else self._document.plain + live
