"""One organization's way to the API: authenticated, paced, retried, one request at a time."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import httpx

from exporter.confluent import wire
from exporter.confluent.body import read_body
from exporter.confluent.failures import failure_of, failure_of_transport
from exporter.confluent.pages import Walk
from exporter.confluent.throttle import (
    ROUNDING,
    RateLimit,
    Throttle,
    backoff,
    patience,
    read_rate_limit,
    read_retry_after,
)
from exporter.errors import (
    ApiError,
    ConnectionFailed,
    InvalidResponse,
    RateLimited,
    RequestTimeout,
    ServerError,
)
from exporter.version import PROJECT_URL, __version__

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Mapping
    from random import Random

    from exporter.clock import Clock
    from exporter.config import Organization

T = TypeVar("T")

USER_AGENT = f"confluent-api-keys-exporter/{__version__} (+{PROJECT_URL})"
_RETRIES_PER_REQUEST = 4
_RETRIES_PER_REFRESH = 10
_MAX_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_WORTH_A_RETRY = (RateLimited, ServerError, RequestTimeout, ConnectionFailed)


@dataclass(frozen=True)
class Listing(Generic[T]):
    """A paged endpoint of the API."""

    endpoint: str
    """The path template; also the value of the label of that name."""
    decoder: wire.PageDecoder[T]


API_KEYS = Listing("/iam/v2/api-keys", wire.PageDecoder(wire.ApiKey))


class Observer(Protocol):
    """Who wants to know what happens; the metrics plug in here."""

    def answered(self, endpoint: str, status: int | None, seconds: float) -> None:
        """One request ended after ``seconds``; ``status`` is None where no response came."""

    def failed(self, endpoint: str, reason: str) -> None:
        """That request, or the body it brought, was of no use."""

    def rate_limit_said(self, endpoint: str, said: RateLimit) -> None:
        """A response spoke of the rate limit."""

    def throttled(self, reason: str, seconds: float) -> None:
        """The client held back for ``seconds``: ``reserve``, ``retry_after`` or ``backoff``."""


@dataclass
class Budget:
    """What one refresh may spend, and what it has spent."""

    deadline: float
    """Monotonic seconds."""
    auth: httpx.BasicAuth
    retries: int = _RETRIES_PER_REFRESH
    requests: Counter[str] = field(default_factory=Counter)
    """By endpoint."""
    failures: Counter[str] = field(default_factory=Counter)

    def error_ratios(self) -> dict[str, float]:
        """Return failed requests ÷ all requests, by endpoint."""
        return {path: self.failures[path] / count for path, count in self.requests.items()}


class Client:
    """The API as one organization's credentials see it.

    ``transport`` is the seam for tests; without it, connections are made as the environment says
    (proxies) with ``tls``.
    """

    def __init__(
        self,
        organization: Organization,
        *,
        clock: Clock,
        observer: Observer,
        random: Random,
        transport: httpx.AsyncBaseTransport | None = None,
        tls: ssl.SSLContext | bool = True,
    ) -> None:
        self._organization = organization
        self._clock = clock
        self._observer = observer
        self._random = random
        self._throttle = Throttle(reserve=organization.rate_limit.reserve, random=random)
        self._turn = asyncio.Lock()
        self.rate_limits: dict[str, RateLimit] = {}
        """By endpoint: the rate limit as the latest response said; for people."""
        self._http = httpx.AsyncClient(
            transport=transport,
            verify=tls,
            headers={
                "User-Agent": USER_AGENT,
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
            },
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            timeout=None,  # noqa: S113 # one deadline for the whole exchange, see _exchange
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def budget(self) -> Budget:
        """Return the budget of a refresh that begins now, with the credentials as they are now.

        Raises :class:`~exporter.errors.CredentialsError`.
        """
        api_key, secret = self._organization.credentials.read()
        return Budget(
            deadline=self._clock.monotonic() + self._organization.refresh_timeout,
            auth=httpx.BasicAuth(api_key, secret.reveal()),
        )

    def wait(self) -> float:
        """Return the seconds for which the API, or the reserve, wants no request from us."""
        return self._throttle.wait(now=self._clock.monotonic())

    async def pages(
        self, listing: Listing[T], params: Mapping[str, str], budget: Budget
    ) -> AsyncIterator[wire.Page[T]]:
        """Walk ``listing`` to its end, page by page (design §5).

        The walk is complete if and only if the iteration ends without an error. Raises
        :class:`~exporter.errors.ApiError`.
        """
        endpoint = listing.endpoint
        url = self._organization.url + endpoint
        query = {**params, "page_size": str(self._organization.page_size)}
        walk = Walk(endpoint=endpoint, url=url)
        while True:
            body = await self._get(endpoint, url, query, budget)
            try:
                page = self._decode(listing, body)
                token = walk.token_after(page.next)
            except ApiError as error:
                self._count_failure(error, budget)
                raise
            yield page
            if token is None:
                return
            query["page_token"] = token

    @staticmethod
    def _decode(listing: Listing[T], body: bytes) -> wire.Page[T]:
        try:
            return listing.decoder.decode(body)
        except ValueError as error:
            raise InvalidResponse(
                f"{error}. Is `url` the address of the API?", endpoint=listing.endpoint
            ) from None

    async def _get(
        self, endpoint: str, url: str, query: Mapping[str, str], budget: Budget
    ) -> bytes:
        """Return the body of a 200, after as many retries as the budget allows."""
        for attempt in range(_RETRIES_PER_REQUEST + 1):
            async with self._turn:
                await self._wait_for_the_window(endpoint, budget)
                try:
                    return await self._follow(endpoint, url, query, budget)
                except _WORTH_A_RETRY as error:
                    reason, pause = self._pause_after(error, attempt)
                    if isinstance(error, RateLimited):
                        self._throttle.close(endpoint, pause, now=self._clock.monotonic())
                    if (
                        attempt == _RETRIES_PER_REQUEST
                        or budget.retries == 0
                        or self._clock.monotonic() + pause >= budget.deadline
                    ):
                        raise
            budget.retries -= 1
            await self._hold(reason, pause)
        raise AssertionError("the last attempt returns or raises")

    def _pause_after(self, error: ApiError, attempt: int) -> tuple[str, float]:
        throttled = isinstance(error, RateLimited)
        own = (patience if throttled else backoff)(attempt, random=self._random)
        if error.retry_in >= own:
            return "retry_after", error.retry_in + self._random.random()
        return "backoff", own

    async def _wait_for_the_window(self, endpoint: str, budget: Budget) -> None:
        # Only the holder of the turn sends, so no window can be opened while it sleeps: at most a
        # few rounds, each of which ends after the deadline or after the last window.
        while (seconds := self.wait()) > 0:
            left = budget.deadline - self._clock.monotonic()
            if seconds >= left:
                raise RateLimited(self._too_little(endpoint), endpoint=endpoint, retry_in=seconds)
            await self._hold("reserve", seconds)

    def _too_little(self, endpoint: str) -> str:
        """Return why a refresh cannot end in time: the same words as long as the reason stays."""
        timeout = self._organization.refresh_timeout
        remedy = "Raise `refresh_timeout`, lower `rate_limit.reserve`, or list less with `filters`"
        given = self._throttle.allowance(endpoint, timeout)
        if given is None:
            return f"the API wants no more requests before `refresh_timeout` is over. {remedy}"
        return (
            f"the listing takes more requests than are ours: of {given.limit} per"
            f" {given.window:.0f} s, less the reserve of {self._organization.rate_limit.reserve:g},"
            f" {given.share} per window, and at most {given.share * given.windows} within the"
            f" `refresh_timeout` of {timeout:.0f} s. {remedy}"
        )

    async def _hold(self, reason: str, seconds: float) -> None:
        began = self._clock.monotonic()
        try:
            await self._clock.sleep(seconds)
        finally:
            self._observer.throttled(reason, self._clock.monotonic() - began)

    async def _follow(
        self, endpoint: str, url: str, query: Mapping[str, str] | None, budget: Budget
    ) -> bytes:
        """Return the body of a 200, following redirects within the configured origin."""
        try:
            for _ in range(_MAX_REDIRECTS + 1):
                response, body = await self._exchange(endpoint, url, query, budget)
                if response.status_code == httpx.codes.OK:
                    return body
                if response.status_code not in _REDIRECTS:
                    raise self._failure_of(response, body, endpoint)
                url, query = self._target_of(response, endpoint), None
            raise InvalidResponse(
                f"more than {_MAX_REDIRECTS} redirects in a row. Is `url` right?", endpoint=endpoint
            )
        except ApiError as error:
            self._count_failure(error, budget)
            raise

    def _target_of(self, response: httpx.Response, endpoint: str) -> str:
        try:
            target = response.url.join(response.headers.get("location", ""))
        except httpx.InvalidURL:
            target = httpx.URL("")
        ours = response.url
        if (target.scheme, target.host, target.port) != (ours.scheme, ours.host, ours.port):
            raise InvalidResponse(
                f"{response.status_code}: a redirect to another origin; nothing was sent there."
                " Set `url` to the address that the API really has",
                endpoint=endpoint,
                status=response.status_code,
                request_id=_request_id(response),
            )
        return str(target)

    async def _exchange(
        self, endpoint: str, url: str, query: Mapping[str, str] | None, budget: Budget
    ) -> tuple[httpx.Response, bytes]:
        began = self._clock.monotonic()
        seconds = min(self._organization.request_timeout, budget.deadline - began)
        budget.requests[endpoint] += 1
        self._throttle.sending(now=began)
        status = None
        try:
            async with (
                asyncio.timeout(seconds),
                self._http.stream("GET", url, params=query, auth=budget.auth) as response,
            ):
                status = response.status_code
                self._read_road_signs(endpoint, response.headers)
                limit = self._organization.max_response_bytes
                return response, await read_body(response.aiter_raw(), limit=limit)
        except TimeoutError:
            raise RequestTimeout(
                f"no complete answer within {seconds:.1f} s. Is the API slow, or `request_timeout`"
                " too short?",
                endpoint=endpoint,
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise failure_of_transport(error, endpoint=endpoint) from error
        except ValueError as error:
            raise InvalidResponse(f"{error}", endpoint=endpoint, status=status) from None
        finally:
            self._observer.answered(endpoint, status, self._clock.monotonic() - began)

    def _read_road_signs(self, endpoint: str, headers: httpx.Headers) -> None:
        said = read_rate_limit(headers)
        self._throttle.observe(endpoint, said, now=self._clock.monotonic())
        if not said.is_empty():
            self.rate_limits[endpoint] = said
            self._observer.rate_limit_said(endpoint, said)

    def _failure_of(self, response: httpx.Response, body: bytes, endpoint: str) -> ApiError:
        after = read_retry_after(response.headers, wall=self._clock.wall()) or 0.0
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            after = max(after, read_rate_limit(response.headers).reset or 0.0)
        return failure_of(
            response.status_code,
            body,
            endpoint=endpoint,
            request_id=_request_id(response),
            retry_in=after + ROUNDING if after else 0.0,
        )

    def _count_failure(self, error: ApiError, budget: Budget) -> None:
        budget.failures[error.endpoint] += 1
        self._observer.failed(error.endpoint, error.reason)


def _request_id(response: httpx.Response) -> str | None:
    return wire.one_line(response.headers.get("x-request-id", ""), 64) or None
