"""The exposition as a whole: what refreshes prepared, what the clients do, and the process."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from exporter.exposition.document import Document, blocks, weave
from exporter.exposition.rendering import Rendered, render

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from exporter.clock import Clock
    from exporter.exposition.instruments import Instruments
    from exporter.exposition.text import Format
    from exporter.refresh import OrganizationState

_KNOWN = (*catalogue.KNOWN.metrics, *catalogue.REFRESH.metrics)


@dataclass(frozen=True, eq=False)
class _Prepared:
    """What refreshes brought, in one format."""

    document: Document
    fresh_until: float
    """Monotonic seconds; from then on a part of it is too old to be served."""


@dataclass(frozen=True)
class _Woven:
    """That with the live metrics behind it."""

    prepared: _Prepared
    whole: Document
    versions: tuple[int, ...]
    """Of the live metrics in ``whole``."""


class Exposition:
    """What a scrape gets. Scrapes neither wait for a refresh nor start one.

    However many refreshes and requests there were since the last scrape, bytes are copied once;
    without any, nothing is.
    """

    def __init__(self, *, clock: Clock, instruments: Instruments) -> None:
        self._clock = clock
        self._instruments = instruments
        self._rendered: dict[str, Rendered] = {}
        self._prepared: dict[Format, _Prepared] = {}
        """Of what is rendered now."""
        self._woven: dict[Format, _Woven] = {}

    async def publish(self, state: OrganizationState) -> None:
        """Serve ``state`` from now on; renders off the event loop."""
        before = self._rendered.get(state.name)
        self._rendered[state.name] = await asyncio.to_thread(render, state, before)
        self._prepared.clear()

    def begin(self, state: OrganizationState) -> None:
        """Serve ``state``, of an organization of which nothing is known yet."""
        self._rendered[state.name] = render(state)
        self._prepared.clear()

    def retain(self, organizations: Collection[str]) -> None:
        """Forget every organization but these."""
        for name in self._rendered.keys() - set(organizations):
            del self._rendered[name]
        self._prepared.clear()

    def scrape(self, form: Format, *, gzip: bool) -> bytes:
        """Return the exposition of this moment, as one gzip member if ``gzip``."""
        now = self._clock.monotonic()
        prepared = self._prepared.get(form)
        if prepared is None or now >= prepared.fresh_until:
            prepared = self._prepared[form] = _prepare(self._rendered, form, now=now)
        woven = self._weave_live(prepared, form)
        process = self._instruments.process(form)
        return woven.gzip(process) if gzip else woven.plain(process)

    def _weave_live(self, prepared: _Prepared, form: Format) -> Document:
        versions, woven = self._instruments.versions(), self._woven.get(form)
        if woven is None or woven.prepared is not prepared or woven.versions != versions:
            live = blocks(catalogue.API.metrics, form)
            whole = weave(live, self._instruments.activities(), onto=prepared.document)
            woven = self._woven[form] = _Woven(prepared, whole, versions)
        return woven.whole


def _prepare(rendered: Mapping[str, Rendered], form: Format, *, now: float) -> _Prepared:
    organizations = [rendered[name] for name in sorted(rendered)]
    document, fresh_until = Document(), float("inf")
    for metrics, parts in (
        (catalogue.INVENTORY.metrics, [each.inventory for each in organizations]),
        (catalogue.QUOTAS.metrics, [each.quotas for each in organizations]),
        (_KNOWN, [each.known for each in organizations]),
    ):
        fresh = [part for part in parts if now < part.fresh_until]
        document = weave(blocks(metrics, form), [each.pieces for each in fresh], onto=document)
        fresh_until = min((fresh_until, *(part.fresh_until for part in fresh)))
    return _Prepared(document, fresh_until)
