"""The exposition as a whole: what refreshes prepared, what the clients do, and the process."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from exporter.exposition.document import Document, blocks, weave
from exporter.exposition.rendering import Rendered, render

if TYPE_CHECKING:
    from collections.abc import Collection

    from exporter.clock import Clock
    from exporter.exposition.instruments import Instruments
    from exporter.exposition.text import Format
    from exporter.refresh import OrganizationState

_KNOWN = (*catalogue.KNOWN.metrics, *catalogue.REFRESH.metrics)


@dataclass(frozen=True)
class _Woven:
    """The document of one format, and of what it was woven."""

    prepared: Document
    whole: Document
    versions: tuple[int, ...]
    """Of the live metrics in ``whole``."""
    fresh_until: float
    """Monotonic seconds; from then on a part of it is too old to be served."""


class Exposition:
    """What a scrape gets. Scrapes neither wait for a refresh nor start one.

    However many refreshes and requests there were since the last scrape, bytes are copied once;
    without any, nothing is.
    """

    def __init__(self, *, clock: Clock, instruments: Instruments) -> None:
        self._clock = clock
        self._instruments = instruments
        self._rendered: dict[str, Rendered] = {}
        self._woven: dict[Format, _Woven] = {}
        """Of what is rendered now."""

    async def publish(self, state: OrganizationState) -> None:
        """Serve ``state`` from now on; renders off the event loop."""
        before = self._rendered.get(state.name)
        self._rendered[state.name] = await asyncio.to_thread(render, state, before)
        self._woven.clear()

    def begin(self, state: OrganizationState) -> None:
        """Serve ``state``, of an organization of which nothing is known yet."""
        self._rendered[state.name] = render(state)
        self._woven.clear()

    def retain(self, organizations: Collection[str]) -> None:
        """Forget every organization but these."""
        for name in self._rendered.keys() - set(organizations):
            del self._rendered[name]
        self._woven.clear()

    def scrape(self, form: Format, *, gzip: bool) -> bytes:
        """Return the exposition of this moment, as one gzip member if ``gzip``."""
        document = self._document(form)
        process = self._instruments.process(form)
        return document.gzip(process) if gzip else document.plain(process)

    def _document(self, form: Format) -> Document:
        now, versions = self._clock.monotonic(), self._instruments.versions()
        woven = self._woven.get(form)
        if woven is None or now >= woven.fresh_until:
            prepared, fresh_until = self._prepare(form, now=now)
        elif woven.versions == versions:
            return woven.whole
        else:
            prepared, fresh_until = woven.prepared, woven.fresh_until
        live = blocks(catalogue.API.metrics, form)
        whole = weave(live, self._instruments.activities(), onto=prepared)
        self._woven[form] = _Woven(prepared, whole, versions, fresh_until)
        return whole

    def _prepare(self, form: Format, *, now: float) -> tuple[Document, float]:
        rendered = [self._rendered[name] for name in sorted(self._rendered)]
        document, fresh_until = Document(), float("inf")
        for metrics, parts in (
            (catalogue.INVENTORY.metrics, [each.inventory for each in rendered]),
            (catalogue.QUOTAS.metrics, [each.quotas for each in rendered]),
            (_KNOWN, [each.known for each in rendered]),
        ):
            fresh = [part for part in parts if now < part.fresh_until]
            document = weave(blocks(metrics, form), [each.pieces for each in fresh], onto=document)
            fresh_until = min((fresh_until, *(part.fresh_until for part in fresh)))
        return document, fresh_until
