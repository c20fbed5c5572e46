"""One connection to the configured origin: a request out, a bounded answer back."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus
from importlib.util import find_spec
from typing import TYPE_CHECKING, cast
from urllib.parse import urlencode
from urllib.request import getproxies, proxy_bypass

import httpx
import structlog

from exporter.confluent.body import read_body
from exporter.confluent.exchange import Exchange, Received
from exporter.confluent.wire import one_line
from exporter.version import PROJECT_URL, __version__

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterable, Callable, Mapping

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


class Connection:
    """Sends requests one after another; follows nothing and keeps no cookie.

    It asks httpx's transport without the client above it, whose merging of settings, redirects and
    cookies are a quarter of what a request costs and none of which is wanted. ``transport`` is the
    seam for tests; without it, connections are made as the environment says (proxies) with ``tls``.
    ``max_body``: bytes of a 200, as received and decompressed.
    """

    def __init__(
        self,
        url: str,
        *,
        max_body: int,
        transport: httpx.AsyncBaseTransport | None,
        tls: ssl.SSLContext | bool,
    ) -> None:
        self._max_body = max_body
        self._transport = transport or httpx.AsyncHTTPTransport(
            verify=tls,
            proxy=_proxy_for(httpx.URL(url)),
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
        )
        self._received = Received()

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
        try:
            async with asyncio.timeout(timeout):
                response = await self._send(request, sending)
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
        except (TimeoutError, ValueError, *TRANSPORT_ERRORS):
            if answer is None:
                raise
            return answer

    async def _send(self, request: httpx.Request, sending: Callable[[], None]) -> httpx.Response:
        """Return the response to ``request``, which is repeated once if its connection was dead.

        A server may close a kept connection at any time, also while a request is on its way.
        """
        exchange = Exchange(self._received)
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

    async def aclose(self) -> None:
        """Close it."""
        await self._transport.aclose()


def _request(url: str, query: Mapping[str, str] | None, auth: httpx.Auth) -> httpx.Request:
    target = _parsed(url)
    if query is not None:
        target = target.copy_with(query=urlencode(query).encode())
    return next(auth.auth_flow(httpx.Request("GET", target, headers=_HEADERS)))


def _proxy_for(url: httpx.URL) -> str | None:
    """Return the proxy that the environment names for ``url``, None if it names none.

    ``NO_PROXY`` has hosts, with or without a port, whose subdomains are meant too, or ``*``.
    """
    # Plain http is for this machine only; a proxy would carry the credentials off it.
    if url.scheme == "http":
        return None
    found = getproxies()
    everywhere = "*" in {host.strip() for host in found.get("no", "").split(",")}
    if everywhere or proxy_bypass(url.netloc.decode()):
        return None
    proxy = found.get("https") or found.get("all")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"
