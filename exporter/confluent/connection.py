"""One connection to the configured origin: a request out, a bounded answer back."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.util import find_spec
from typing import TYPE_CHECKING

import httpx

from exporter.confluent.body import read_body
from exporter.confluent.wire import one_line
from exporter.version import PROJECT_URL, __version__

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

USER_AGENT = f"confluent-api-keys-exporter/{__version__} (+{PROJECT_URL})"
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

    ``transport`` is the seam for tests; without it, connections are made as the environment says
    (proxies) with ``tls``. ``max_body``: bytes of a 200, as received and decompressed.
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
        self._http = httpx.AsyncClient(
            transport=transport,
            verify=tls,
            # Plain http is for this machine only; a proxy would carry the credentials off it.
            trust_env=not url.startswith("http:"),
            headers={
                "User-Agent": USER_AGENT,
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
            },
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            timeout=None,  # noqa: S113 # one for the whole exchange, in `get`
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
        )

    async def get(
        self,
        url: str,
        query: Mapping[str, str] | None,
        *,
        auth: httpx.Auth,
        timeout: float,  # noqa: ASYNC109 # of this exchange, and only known to the caller
        headers_came: Callable[[int, httpx.Headers], None],
    ) -> Answer:
        """Return the answer within ``timeout`` seconds; ``headers_came`` hears of it first.

        The body of anything but a 200 is only there to be quoted: if it cannot be read, the answer
        still counts for what its status and headers say, with an empty body. Raises
        ``TimeoutError``, :data:`TRANSPORT_ERRORS`, and ``ValueError`` for a body that is too large
        or broken.
        """
        answer: Answer | None = None
        try:
            async with (
                asyncio.timeout(timeout),
                self._http.stream("GET", _parsed(url), params=query, auth=auth) as response,
            ):
                headers_came(response.status_code, response.headers)
                whole = response.status_code == HTTPStatus.OK
                if not whole:
                    answer = Answer(response.url, response.status_code, response.headers, b"")
                limit = self._max_body if whole else _MAX_ERROR_BODY
                body = await read_body(response.aiter_raw(), limit=limit)
                return Answer(response.url, response.status_code, response.headers, body)
        except (TimeoutError, ValueError, *TRANSPORT_ERRORS):
            if answer is None:
                raise
            return answer

    async def aclose(self) -> None:
        """Close it."""
        await self._http.aclose()
