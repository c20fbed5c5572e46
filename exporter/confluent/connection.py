"""One connection to the configured origin: a request out, a bounded answer back."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus
from importlib.util import find_spec
from typing import TYPE_CHECKING, cast
from urllib.parse import urlencode

import httpx
import structlog

from exporter.confluent.body import read_body
from exporter.confluent.exchange import Exchange, NameResolutionTimeout, Received
from exporter.confluent.proxies import proxy_for
from exporter.escaping import one_line
from exporter.version import PROJECT_URL, __version__

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Mapping

    from exporter.confluent.trust import Trust

log = structlog.get_logger(__name__)

USER_AGENT = f"confluent-api-keys-exporter/{__version__} (+{PROJECT_URL})"
_HEADERS = {
    "User-Agent": USER_AGENT,
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
}
TRANSPORT_ERRORS = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError)
_MAX_ERROR_BODY = 64 * 1024  # of which a line is shown


@dataclass(frozen=True)
class Answer:
    """A response that was read."""

    url: httpx.URL
    status: int
    headers: httpx.Headers = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def request_id(self) -> str | None:
        """The ``X-Request-Id``, in one printable line."""
        return one_line(self.headers.get("x-request-id", ""), 64) or None


# httpcore looks for this package several times a request; where it is not installed, that is each
# time a search of all of sys.path, and in all a tenth of what requests cost.
if find_spec("sniffio") is None:
    sys.modules["sniffio"] = None  # type: ignore[assignment] # how an import is told to fail at once


_parsed = lru_cache(maxsize=64)(httpx.URL)
"""The same few addresses are asked again and again, and parsing them takes httpx long."""


@dataclass(frozen=True)
class Route:
    """What lies on the way to the API, for messages about it."""

    proxy: str
    """The variable that names the proxy; empty without one."""
    proxy_address: str
    """Its host and port."""
    trust: Trust | None
    """The certificates that are trusted; None for plain http."""


class Connection:
    """Sends requests one after another; follows nothing and keeps no cookie.

    It asks httpx's transport without the client above it, whose merging of settings, redirects and
    cookies are a quarter of what a request costs and none of which is wanted. ``transport`` is the
    seam for tests; without it, connections use the proxies of ``environ`` and the certificates of
    ``trust``, which only plain http does without. ``max_body``: bytes of a 200, as received and
    decompressed. Raises :class:`~exporter.errors.StartUpError` for an unusable proxy.
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
        self._transport = transport or self._network()
        self._received = Received()

    def renew(self) -> None:
        """Look whether the certificates have changed; the next request takes up those that have."""
        if self.route.trust is not None:
            self.route.trust.renew()

    async def get(
        self,
        url: str,
        query: Mapping[str, str] | None,
        *,
        auth: httpx.Auth,
        timeout: float,  # noqa: ASYNC109 # of this exchange, and only known to the caller
        sending: Callable[[], None],
        headers_came: Callable[[int, httpx.Headers], None],
    ) -> Answer:
        """Return the answer within ``timeout`` seconds; ``headers_came`` hears of it first.

        ``sending`` is called before each time that the request is sent: twice if a kept connection
        turns out to be closed.

        The body of anything but a 200 is only there to be quoted: if it cannot be read, the answer
        still counts for what its status and headers say, with an empty body. Raises
        ``TimeoutError``, :data:`TRANSPORT_ERRORS`, and ``ValueError`` for a body that is too large
        or broken.
        """
        answer: Answer | None = None
        request = _request(url, query, auth)
        exchange = Exchange(self._received)
        try:
            async with asyncio.timeout(timeout):
                await self._take_up_certificates()
                response = await self._send(request, exchange, sending)
                try:
                    status, headers = response.status_code, response.headers
                    headers_came(status, headers)
                    whole = status == HTTPStatus.OK
                    if not whole:
                        answer = Answer(request.url, status, headers, b"")
                    limit = self._max_body if whole else _MAX_ERROR_BODY
                    chunks = cast("AsyncIterable[bytes]", response.stream)
                    body = await read_body(chunks, limit=limit)
                    return Answer(request.url, status, headers, body)
                finally:
                    await response.aclose()
        except (TimeoutError, ValueError, *TRANSPORT_ERRORS) as error:
            if answer is not None:
                return answer
            if self._proxy is not None:
                # httpcore counts a tunnel whose TLS handshake failed as open, and one is allowed.
                await self._replace_transport()
            if isinstance(error, TimeoutError) and exchange.resolving:
                raise NameResolutionTimeout(exchange.resolving) from None
            raise

    async def _send(
        self, request: httpx.Request, exchange: Exchange, sending: Callable[[], None]
    ) -> httpx.Response:
        """Return the response to ``request``, which is repeated once if its connection was dead.

        A server may close a kept connection at any time, also while a request is on its way.
        """
        request.extensions["trace"] = exchange
        sending()
        try:
            return await self._transport.handle_async_request(request)
        except (httpx.NetworkError, httpx.RemoteProtocolError):
            if not exchange.met_a_closed_connection():
                raise
        # The only connection that is kept has just been dropped, so this one is new.
        log.debug("the server closed a kept connection; the request is sent again")
        sending()
        return await self._transport.handle_async_request(request)

    async def _take_up_certificates(self) -> None:
        """Close the connection and make the next one with certificates that have changed."""
        trust = self.route.trust
        if trust is not None and trust.context is not self._context:
            self._context = trust.context
            await self._replace_transport()

    async def _replace_transport(self) -> None:
        """Close the connection; the next request makes another one."""
        before, self._transport = self._transport, self._network()
        await before.aclose()

    def _network(self) -> httpx.AsyncHTTPTransport:
        context = self._context or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # which trusts nobody
        proxy: httpx.Proxy | None = None
        if self._proxy is not None:
            # A proxy that is itself asked over TLS is verified as the API is.
            over_tls = self._proxy.url.scheme == "https"
            proxy = httpx.Proxy(self._proxy.url, ssl_context=context if over_tls else None)
        return httpx.AsyncHTTPTransport(
            verify=context,
            proxy=proxy,
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
        )

    async def aclose(self) -> None:
        """Close it."""
        await self._transport.aclose()


def _request(url: str, query: Mapping[str, str] | None, auth: httpx.Auth) -> httpx.Request:
    target = _parsed(url)
    if query is not None:
        target = target.copy_with(query=urlencode(query).encode())
    return next(auth.auth_flow(httpx.Request("GET", target, headers=_HEADERS)))
