"""The exposition as a whole: what refreshes prepared, what the clients do, and the process."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from exporter.exposition.document import Document, Sections, assemble, blocks
from exporter.exposition.rendering import NOTHING, Rendered, render

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from exporter.clock import Clock
    from exporter.exposition.body import Body
    from exporter.exposition.instruments import Instruments
    from exporter.exposition.text import Format
    from exporter.refresh import OrganizationState

_KNOWN = (*catalogue.KNOWN.metrics, *catalogue.REFRESH.metrics)


@dataclass(frozen=True, eq=False)
class _Prepared:
    """What refreshes brought, in one format."""

    sections: Sections
    version: int
    """Of what it was made from."""
    fresh_until: float
    """Monotonic seconds; from then on a part of it is too old to be served."""


@dataclass(frozen=True, eq=False)
class _Assembled:
    """That with the live metrics behind it."""

    prepared: _Prepared
    live: Sections
    versions: tuple[int, ...]
    """Of the live metrics."""
    document: Document


class Exposition:
    """What a scrape gets. Scrapes neither wait for a refresh nor start one.

    However many refreshes and requests there were since the last scrape, only the families with
    changes are put together anew; without any, bytes are copied.
    """

    def __init__(self, *, clock: Clock, instruments: Instruments) -> None:
        self._clock = clock
        self._instruments = instruments
        self._rendered: dict[str, Rendered] = {}
        self._version = 0
        """Grows with every change of what is rendered."""
        self._assembled: dict[Format, _Assembled] = {}

    async def publish(self, state: OrganizationState) -> None:
        """Serve ``state`` from now on; renders off the event loop."""
        before = self._rendered.get(state.name, NOTHING)
        self._rendered[state.name] = await asyncio.to_thread(render, state, before)
        self._version += 1
        self._instruments.prepare(state.name)

    def begin(self, state: OrganizationState) -> None:
        """Serve ``state``, of an organization of which nothing is known yet."""
        self._rendered[state.name] = render(state)
        self._version += 1

    def retain(self, organizations: Collection[str]) -> None:
        """Forget every organization but these."""
        for name in self._rendered.keys() - set(organizations):
            del self._rendered[name]
        self._version += 1

    def scrape(self, form: Format, *, gzip: bool) -> bytes:
        """Return the exposition of this moment, as one gzip member if ``gzip``."""
        return b"".join(self.body(form, gzip=gzip))

    def body(self, form: Format, *, gzip: bool) -> Body:
        """Return the same in slices of shared bytes, for clients that may read slowly."""
        document = self._document(form)
        process = self._instruments.process(form)
        return document.gzip(process) if gzip else document.plain(process)

    def _document(self, form: Format) -> Document:
        """Return all but the process' own metrics."""
        assembled, versions = self._assembled.get(form), self._instruments.versions()
        prepared = self._prepare(form, None if assembled is None else assembled.prepared)
        if (
            assembled is None
            or assembled.prepared is not prepared
            or assembled.versions != versions
        ):
            before = {} if assembled is None else assembled.live
            live = assemble(
                blocks(catalogue.API.metrics, form), self._instruments.activities(), before
            )
            document = Document([*prepared.sections.values(), *live.values()])
            assembled = self._assembled[form] = _Assembled(prepared, live, versions, document)
        return assembled.document

    def _prepare(self, form: Format, before: _Prepared | None) -> _Prepared:
        """Return what refreshes brought: ``before``, if it is still that."""
        now = self._clock.monotonic()
        if before and before.version == self._version and now < before.fresh_until:
            return before
        kept = before.sections if before else {}
        sections, fresh_until = _assemble(self._rendered, form, kept, now=now)
        return _Prepared(sections, self._version, fresh_until)


def _assemble(
    rendered: Mapping[str, Rendered], form: Format, before: Sections, *, now: float
) -> tuple[Sections, float]:
    """Return what is fresh, and the monotonic seconds until which it all is."""
    organizations = [rendered[name] for name in sorted(rendered)]
    sections: Sections = {}
    fresh_until = float("inf")
    for metrics, parts in (
        (catalogue.INVENTORY.metrics, [each.inventory for each in organizations]),
        (catalogue.QUOTAS.metrics, [each.quotas for each in organizations]),
        (_KNOWN, [each.known for each in organizations]),
    ):
        fresh = [part for part in parts if now < part.fresh_until]
        sections |= assemble(blocks(metrics, form), [each.chunks for each in fresh], before)
        fresh_until = min((fresh_until, *(part.fresh_until for part in fresh)))
    return sections, fresh_until
