"""The routes ``/keys``, ``/keys.csv`` and ``/keys.json``, served from memory."""

from __future__ import annotations

import asyncio
import contextlib
from email.utils import formatdate
from typing import TYPE_CHECKING, Literal, Protocol

from starlette.responses import HTMLResponse, PlainTextResponse, Response

from exporter.report import csv_chunks, json_chunks
from exporter.web.keys_page import render_keys_page
from exporter.web.keys_query import MAX_VALUES, QueryError, parse_query
from exporter.web.keys_selection import select, selected_listings
from exporter.web.loopback import is_sent_to_loopback
from exporter.web.templates import PAGE_HEADERS, content_security_policy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from starlette.types import Receive, Scope, Send

    from exporter.clock import Clock
    from exporter.report import LatestListing
    from exporter.web.keys_query import KeysQuery

Format = Literal["page", "csv", "json"]
PATHS: dict[str, Format] = {"/keys": "page", "/keys.csv": "csv", "/keys.json": "json"}
_BATCH = 200
"""Rows in one chunk, about 100 KiB. A chunk takes a few milliseconds."""
_MAX_DOWNLOADS = 4
"""Each holds the order and the findings of the selected keys, about 10 MiB for 100,000 keys."""
_MAX_NAMED = 5
"""Organizations that an error names."""
_HEADERS = {
    **PAGE_HEADERS,
    "Content-Security-Policy": content_security_policy(form_action="'self'"),
}
_TYPES = {"csv": "text/csv; charset=utf-8; header=present", "json": "application/json"}
_FORBIDDEN = (
    "Without authentication, API keys are only shown to requests for a loopback name, so that other"
    " websites cannot read them through a browser. Use localhost or 127.0.0.1 in the URL, or"
    " configure users or client certificates with --web.config.file.\n"
)


class KeysSource(Protocol):
    """The source of the keys."""

    def latest_listings(self) -> Sequence[LatestListing]:
        """Return the keys of every organization, in the order of the configuration.

        Called in a thread, since it takes long for many organizations.
        """


class _Problem(Exception):
    """An error response."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


class Keys:
    """Answers requests for keys. Slow work runs in threads, one at a time.

    ``loopback_only``: reject requests whose ``Host`` is not a loopback name.
    """

    def __init__(
        self, source: KeysSource, *, clock: Clock, loopback_only: bool, telemetry_path: str
    ) -> None:
        self._source = source
        self._clock = clock
        self._loopback_only = loopback_only
        self._telemetry_path = telemetry_path
        self._lock = asyncio.Lock()
        self._downloads = 0

    async def respond(
        self, form: Format, scope: Scope, receive: Receive, send: Send
    ) -> Response | None:
        """Return the response, or None if it has been sent. Raises :class:`_Problem`."""
        if self._loopback_only and not is_sent_to_loopback(scope["headers"]):
            raise _Problem(403, _FORBIDDEN)
        try:
            query = parse_query(scope["query_string"], paged=form == "page")
        except QueryError as error:
            raise _Problem(400, f"{error}.\n") from None
        if form == "page":
            return await self._page(query)
        await self._download(form, query, scope, receive, send)
        return None

    async def _page(self, query: KeysQuery) -> Response:
        def render() -> bytes:
            listings = self._source.latest_listings()
            matching = selected_listings(listings, query)
            return render_keys_page(
                matching,
                select(matching, query),
                query,
                organizations=len(listings),
                wall=self._clock.wall(),
                telemetry_path=self._telemetry_path,
            ).encode()

        async with self._lock:
            page = await asyncio.to_thread(render)
        return HTMLResponse(page, headers=_HEADERS)

    async def _download(
        self, form: Format, query: KeysQuery, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Send all selected keys in chunks, as fast as the client reads them."""
        async with self._lock:
            listings = await asyncio.to_thread(
                lambda: selected_listings(self._source.latest_listings(), query)
            )
        _require_fresh(listings, query)
        headers = {**_HEADERS, "Content-Type": _TYPES[form]}
        if form == "csv":
            headers["Content-Disposition"] = 'attachment; filename="api-keys.csv"'
        oldest = min(each.began or 0.0 for each in listings)
        headers["Last-Modified"] = formatdate(oldest, usegmt=True)
        if self._downloads >= _MAX_DOWNLOADS:
            raise _Problem(503, "Too many downloads of keys at the same time. Try again later.\n")
        self._downloads += 1
        try:
            raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
            await send({"type": "http.response.start", "status": 200, "headers": raw})
            if scope["method"] != "HEAD":
                async with _disconnect(receive) as disconnected:
                    await self._send_chunks(form, listings, query, send, disconnected)
            await send({"type": "http.response.body", "body": b""})
        finally:
            self._downloads -= 1

    async def _send_chunks(
        self,
        form: Format,
        listings: Sequence[LatestListing],
        query: KeysQuery,
        send: Send,
        disconnected: asyncio.Task[None],
    ) -> None:
        def begin() -> Iterator[str]:
            batches = select(listings, query).batches(_BATCH)
            return csv_chunks(batches) if form == "csv" else json_chunks(batches)

        async with self._lock:
            chunks = await asyncio.to_thread(begin)
        while not disconnected.done():
            async with self._lock:
                chunk = await asyncio.to_thread(lambda: next(chunks, None))
            if chunk is None:
                return
            await send({"type": "http.response.body", "body": chunk.encode(), "more_body": True})


class KeysEndpoint:
    """Answers requests in one format; an ASGI application."""

    def __init__(self, keys: Keys, form: Format) -> None:
        self._keys, self._form = keys, form

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            response = await self._keys.respond(self._form, scope, receive, send)
        except _Problem as problem:
            response = PlainTextResponse(problem.text, problem.status, headers=_HEADERS)
        if response is not None:
            await response(scope, receive, send)


def _require_fresh(listings: Sequence[LatestListing], query: KeysQuery) -> None:
    """Raise :class:`_Problem` if ``query`` has no ``listings``, or one of them no keys to show.

    A client could not tell either from a listing without keys.
    """
    if not listings:
        raise _Problem(404, "No organization matches the filter. See /keys for those that exist.\n")
    missing = [each.organization for each in listings if each.keys is None]
    if not missing:
        return
    fresh = [each.organization for each in listings if each.keys is not None]
    remedy = ""
    if 0 < len(fresh) <= MAX_VALUES:
        others = query.with_values("organization", fresh).encoded(sorting=query.sorting)
        remedy = f" or leave it out, for example with {others}"
    more = len(missing) - _MAX_NAMED
    named = [*missing[:_MAX_NAMED], *([f"{more} more"] if more > 0 else [])]
    raise _Problem(
        503,
        f"No fresh listing of {', '.join(named)}, so the list would be incomplete. Wait for the"
        f" next successful refresh (see /){remedy}.\n",
    )


@contextlib.asynccontextmanager
async def _disconnect(receive: Receive) -> AsyncIterator[asyncio.Task[None]]:
    """Provide a task that ends when the client has disconnected."""

    async def wait() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    task = asyncio.create_task(wait())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])
