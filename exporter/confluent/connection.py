"""One connection to the configured origin: sends a request, returns an answer of bounded size."""

from __future__ import annotations

import asyncio
import math
import os
import ssl
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, cast
from urllib.parse import urlencode

import httpx
import structlog

from exporter.confluent.body import read_body
from exporter.confluent.network import NameResolutionTimeout
from exporter.confluent.proxies import proxy_for
from exporter.confluent.transport import OneConnectionTransport, ReusedConnectionClosed
from exporter.escaping import one_line
from exporter.version import PROJECT_URL, __version__

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Mapping

    from exporter.confluent.request import Request
    from exporter.confluent.trust import Trust

log = structlog.get_logger(__name__)

USER_AGENT = f"confluent-api-keys-exporter/{__version__} (+{PROJECT_URL})"
_HEADERS = {
    "User-Agent": USER_AGENT,
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
}
TRANSPORT_ERRORS = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError)
_MAX_ERROR_BODY = 64 * 1024
"""Bytes. Messages quote one line of it."""


@dataclass(frozen=True)
class Answer:
    """A response with its body."""

    url: httpx.URL
    status: int
    headers: httpx.Headers = field(repr=False)
    body: bytes = field(repr=False)
    requested_at: float = math.nan
    """Monotonic seconds at which the request was sent."""

    @property
    def request_id(self) -> str | None:
        """The ``X-Request-Id``, in one printable line."""
        return one_line(self.headers.get("x-request-id", ""), 64) or None


@dataclass(frozen=True)
class Route:
    """The proxy and the certificates on the way to the host, for messages."""

    proxy: str
    """The variable that names the proxy; empty without one."""
    proxy_address: str
    """Host and port of the proxy."""
    trust: Trust | None
    """The trusted certificates; None for plain http."""


class Connection:
    """Sends requests one after another. It follows no redirect and keeps no cookie.

    It uses a transport of httpx without the client, which accounts for a quarter of the cost of a
    request. ``transport`` is the seam for tests; without it, connections use the proxies of
    ``environ`` and the certificates of ``trust``, which is None for plain http. ``max_body``: bytes
    of a 200, as received and decompressed. Raises :class:`~exporter.errors.StartUpError` for an
    unusable proxy.
    """

    def __init__(
        self,
        url: str,
        *,
        max_body: int,
        transport: httpx.AsyncBaseTransport | None = None,
        trust: Trust | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._max_body = max_body
        proxy = None if transport else proxy_for(httpx.URL(url), environ)
        self.route = Route(proxy.variable if proxy else "", proxy.address if proxy else "", trust)
        self._proxy = proxy
        self._context = trust.context if trust else None
        self._transport = transport or self._network_transport()

    def renew(self) -> None:
        """Read certificates that have changed; the next request applies them. Blocks."""
        if self.route.trust is not None:
            self.route.trust.renew()

    async def send(
        self,
        request: Request,
        target: httpx.URL,
        *,
        headers: Mapping[str, str],
        timeout: float,  # noqa: ASYNC109 # the caller limits each request
        on_send: Callable[[], None],
        on_headers: Callable[[int, httpx.Headers], None],
    ) -> Answer:
        """Send ``request`` to ``target``; return the answer within ``timeout`` seconds.

        ``on_send`` is called each time before the request is sent, which is twice if a reused
        connection turns out to be closed. ``on_headers`` is called before the body is read.

        The body of anything but a 200 is only quoted: if it cannot be read, the answer still has
        its status and headers, with an empty body. Raises ``TimeoutError``,
        :data:`TRANSPORT_ERRORS`, and ``ValueError`` for a body that is too large or broken.
        """
        answer: Answer | None = None
        try:
            async with asyncio.timeout(timeout):
                await self._apply_new_certificates()
                response = await self._response_to(
                    _wire_request(request, target, headers), request, on_send
                )
                try:
                    status = response.status_code
                    on_headers(status, response.headers)
                    is_ok = status == HTTPStatus.OK
                    if not is_ok:
                        answer = Answer(target, status, response.headers, b"")
                    limit = self._max_body if is_ok else _MAX_ERROR_BODY
                    chunks = cast("AsyncIterable[bytes]", response.stream)
                    body = await read_body(chunks, limit=limit)
                    return Answer(target, status, response.headers, body)
                finally:
                    await response.aclose()
        except (TimeoutError, ValueError, *TRANSPORT_ERRORS) as error:
            if answer is not None:
                return answer
            if isinstance(error, TimeoutError) and self._resolving:
                raise NameResolutionTimeout(self._resolving) from None
            raise

    async def _response_to(
        self, wire_request: httpx.Request, request: Request, on_send: Callable[[], None]
    ) -> httpx.Response:
        """Return the response; send the request again if the reused connection was closed.

        RFC 9110 §9.2.2 allows that for idempotent methods such as GET.
        """
        on_send()
        try:
            return await self._transport.handle_async_request(wire_request)
        except ReusedConnectionClosed:
            if not request.repeatable:
                raise
        log.debug("the server closed an idle connection; sending the request again")
        on_send()
        return await self._transport.handle_async_request(wire_request)

    @property
    def _resolving(self) -> str:
        """The host name that is being resolved; empty otherwise."""
        transport = self._transport
        return transport.resolving if isinstance(transport, OneConnectionTransport) else ""

    async def _apply_new_certificates(self) -> None:
        """Close the connection if its certificates have been replaced."""
        trust = self.route.trust
        if trust is not None and trust.context is not self._context:
            self._context = trust.context
            before, self._transport = self._transport, self._network_transport()
            await before.aclose()

    def _network_transport(self) -> OneConnectionTransport:
        no_ca = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # for plain http: nothing to verify
        return OneConnectionTransport(
            context=self._context or no_ca, proxy=self._proxy.url if self._proxy else None
        )

    async def aclose(self) -> None:
        """Close the connection."""
        await self._transport.aclose()


_parsed = lru_cache(maxsize=64)(httpx.URL)
"""httpx parses slowly, and a host has few endpoints."""


def url_of(address: str, query: Mapping[str, str]) -> httpx.URL:
    """Return the URL ``address`` with ``query``."""
    url = _parsed(address)
    return url.copy_with(query=urlencode(query).encode()) if query else url


def _wire_request(request: Request, target: httpx.URL, headers: Mapping[str, str]) -> httpx.Request:
    sent = {**_HEADERS, **headers}
    if request.content_type:
        sent["Content-Type"] = request.content_type
    return httpx.Request(request.method, target, headers=sent, content=request.body or None)
