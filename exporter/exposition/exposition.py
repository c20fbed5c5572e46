"""The exposition: the metrics of collectors and refreshes, of API requests and of the process."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from exporter.exposition.document import Document, assemble, blocks, chunks
from exporter.exposition.groups import Groups, group_at
from exporter.exposition.refreshes import RefreshRenderer
from exporter.exposition.text import Format

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from exporter.clock import Clock
    from exporter.exposition.body import Body
    from exporter.exposition.catalogue import Metric
    from exporter.exposition.document import Chunks, Families
    from exporter.exposition.instruments import Instruments
    from exporter.exposition.rendering import Renderer
    from exporter.refresh import OrganizationState

_REFRESHES = RefreshRenderer()
_NEVER = float("inf")


@dataclass(frozen=True)
class _Rendered:
    """The lines of one organization."""

    state: OrganizationState
    chunks: Chunks
    expiries: Sequence[tuple[float, Collection[str]]]
    """Monotonic seconds, and the keys of the chunks that are too old to be served from then on."""

    def fresh(self, *, now: float) -> Chunks:
        """Return the chunks that may be served at the monotonic time ``now``."""
        expired = {key for at, keys in self.expiries if at <= now for key in keys}
        if not expired:
            return self.chunks
        return {key: each for key, each in self.chunks.items() if key not in expired}

    def fresh_until(self, *, now: float) -> float:
        """Return the monotonic time after ``now`` at which the next chunks expire."""
        return min((at for at, _ in self.expiries if at > now), default=_NEVER)


@dataclass(frozen=True, eq=False)
class _RefreshedFamilies:
    """The metrics that only a refresh or their age changes, in one format."""

    families: Families
    version: int
    """Of the rendered lines that they were assembled from."""
    fresh_until: float
    """Monotonic seconds; from then on a part of them is too old to be served."""


@dataclass(frozen=True, eq=False)
class _Assembled:
    """Those, followed by the metrics that every API request changes."""

    refreshed: _RefreshedFamilies
    requests: Families
    versions: tuple[int, ...]
    """Of the request metrics."""
    document: Document


class Exposition:
    """The response to a scrape. Scrapes neither wait for a refresh nor start one.

    Only families that have changed since the previous scrape are assembled again, and without a
    change prepared bytes are copied. ``metrics``: those of all collectors, in their order.
    """

    def __init__(
        self, *, clock: Clock, instruments: Instruments, metrics: Iterable[Metric]
    ) -> None:
        self._clock = clock
        self._instruments = instruments
        self._metrics = tuple(dict.fromkeys((*metrics, *_REFRESHES.metrics)))
        self._rendered: dict[str, _Rendered] = {}
        self._groups = Groups()
        self._version = 0
        """Incremented with every change of the rendered lines."""
        self._assembled: dict[Format, _Assembled] = {}

    async def publish(self, state: OrganizationState, renderers: Sequence[Renderer]) -> None:
        """Serve ``state`` from now on; renders off the event loop."""
        names = sorted({*self._rendered, state.name})
        number, members = group_at(names.index(state.name))
        group = {name: self._rendered.get(name) for name in names[members]}

        def render() -> _Rendered:
            group[state.name] = rendered = self._render(state, renderers)
            now = self._clock.monotonic()
            fresh = [each.fresh(now=now) for each in group.values() if each is not None]
            self._groups.group(number, fresh)
            return rendered

        self._rendered[state.name] = await asyncio.to_thread(render)
        self._version += 1
        self._instruments.prepare(state.name)

    def begin(self, state: OrganizationState, renderers: Sequence[Renderer]) -> None:
        """Serve ``state``, that of an organization before its first refresh."""
        self._rendered[state.name] = self._render(state, renderers)
        self._version += 1

    def prepare(self) -> None:
        """Assemble everything ahead of the first scrape."""
        self._document(Format.OPENMETRICS)  # groups are the same in all formats

    def _render(self, state: OrganizationState, renderers: Sequence[Renderer]) -> _Rendered:
        before = self._rendered.get(state.name)
        rendered: Chunks = {}
        expiries: list[tuple[float, Collection[str]]] = []
        for renderer in (*renderers, _REFRESHES):
            for part in renderer.render(state, before.state if before else None):
                found = chunks(part.lines, before.chunks if before else {})
                rendered |= found
                if part.fresh_until < _NEVER:
                    expiries.append((part.fresh_until, found.keys()))
        return _Rendered(state, rendered, expiries)

    def retain(self, organizations: Collection[str]) -> None:
        """Forget every other organization."""
        for name in self._rendered.keys() - set(organizations):
            del self._rendered[name]
        self._version += 1

    def scrape(self, form: Format, *, gzip: bool) -> bytes:
        """Return the current exposition, as one gzip member if ``gzip``."""
        return b"".join(self.body(form, gzip=gzip))

    def body(self, form: Format, *, gzip: bool) -> Body:
        """Return the same in slices of shared bytes, for clients that may read slowly."""
        document = self._document(form)
        process = self._instruments.process(form)
        return document.gzip(process) if gzip else document.plain(process)

    def _document(self, form: Format) -> Document:
        """Return everything except the metrics of the process itself."""
        before, versions = self._assembled.get(form), self._instruments.versions()
        refreshed = self._refreshed(form, None if before is None else before.refreshed)
        if before and before.refreshed is refreshed and before.versions == versions:
            return before.document
        requests = assemble(
            blocks(catalogue.API.metrics, form),
            self._instruments.request_sections(),
            {} if before is None else before.requests,
        )
        document = Document([*refreshed.families.values(), *requests.values()])
        self._assembled[form] = _Assembled(refreshed, requests, versions, document)
        return document

    def _refreshed(self, form: Format, before: _RefreshedFamilies | None) -> _RefreshedFamilies:
        """Return ``before``, or new families if it is out of date."""
        now = self._clock.monotonic()
        if before and before.version == self._version and now < before.fresh_until:
            return before
        organizations = [self._rendered[name] for name in sorted(self._rendered)]
        families = assemble(
            blocks(self._metrics, form),
            self._groups.all([each.fresh(now=now) for each in organizations]),
            before.families if before else {},
        )
        fresh_until = min((each.fresh_until(now=now) for each in organizations), default=_NEVER)
        return _RefreshedFamilies(families, self._version, fresh_until)
