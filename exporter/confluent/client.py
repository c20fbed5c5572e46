"""One organization's way to the API: authenticated, paced, retried, one request at a time."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

import httpx
import structlog

from exporter import redaction
from exporter.confluent import wire
from exporter.confluent.connection import TRANSPORT_ERRORS, Connection
from exporter.confluent.exchange import NameResolutionTimeout
from exporter.confluent.failures import failure_of, failure_of_transport, target_of
from exporter.confluent.headers import read_rate_limit, unusable_headers
from exporter.confluent.pages import Walk
from exporter.confluent.throttle import Hold, RateLimit, Throttle, backoff, patience
from exporter.errors import (
    ApiError,
    ConnectionFailed,
    InvalidResponse,
    OutOfBudget,
    RateLimited,
    RequestTimeout,
    ServerError,
)
from exporter.escaping import one_line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
    from random import Random

    from exporter.clock import Clock
    from exporter.config import Organization
    from exporter.confluent.connection import Answer
    from exporter.confluent.trust import Trust

T = TypeVar("T")

log = structlog.get_logger(__name__)

_RETRIES_PER_REQUEST = 4
_RETRIES_PER_REFRESH = 10
_MAX_REDIRECTS = 3
_LONGEST_HEADER = 64  # characters, in a log line
_LONG_WAIT = 5.0  # seconds; people who watch the log wonder
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_WORTH_A_RETRY = (RateLimited, ServerError, RequestTimeout, ConnectionFailed)
_WAITING = {
    "reserve": "waiting for the rate limit to reset; this window has no requests left to use",
    "retry_after": "waiting as long as the API asked",
    "backoff": "waiting before retrying a failed request",
}
"""Log messages by reason."""


@dataclass(frozen=True)
class Listing(Generic[T]):
    """A paged endpoint of the API."""

    endpoint: str
    """The path template; also the value of the label of that name."""
    decoder: wire.Decoder[T]


API_KEYS = Listing("/iam/v2/api-keys", wire.PageDecoder(wire.ApiKey))
SERVICE_ACCOUNTS = Listing("/iam/v2/service-accounts", wire.PageDecoder(wire.Named))
USERS = Listing("/iam/v2/users", wire.PageDecoder(wire.User))
ENVIRONMENTS = Listing("/org/v2/environments", wire.PageDecoder(wire.Named))
ORGANIZATIONS = Listing("/org/v2/organizations", wire.PageDecoder(wire.Named))
KAFKA_CLUSTERS = Listing("/cmk/v2/clusters", wire.PageDecoder(wire.Cluster))
SCHEMA_REGISTRIES = Listing("/srcm/v3/clusters", wire.PageDecoder(wire.Cluster))
KSQLDB_CLUSTERS = Listing("/ksqldbcm/v2/clusters", wire.PageDecoder(wire.Cluster))
REGIONS = Listing("/fcpm/v2/regions", wire.PageDecoder(wire.Named))
QUOTA_SCOPES = Listing("/service-quota/v1/scopes", wire.PageDecoder(wire.Id))
APPLIED_QUOTAS = Listing("/service-quota/v1/applied-quotas", wire.PageDecoder(wire.AppliedQuota))


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


class Wait(NamedTuple):
    """A pause before the next request."""

    until: float
    """Monotonic seconds."""
    reason: str
    """``reserve``, ``retry_after`` or ``backoff``."""


@dataclass
class Budget:
    """What one refresh may spend, and what it has spent."""

    deadline: float
    """Monotonic seconds."""
    auth: httpx.BasicAuth
    redactor: redaction.Redactor
    """Of the secret in ``auth``, which an answer may repeat."""
    timeout: float
    """Seconds from its beginning to the deadline."""
    patient: bool = False
    """Whether its requests wait while those of another refresh, which is not, are under way."""
    retries: int = _RETRIES_PER_REFRESH
    requests: Counter[str] = field(default_factory=Counter)
    """By endpoint."""
    failures: Counter[str] = field(default_factory=Counter)

    def error_ratios(self) -> dict[str, float]:
        """Return failed requests ÷ all requests, by endpoint."""
        return {path: self.failures[path] / count for path, count in self.requests.items()}


class Client:
    """The API as one organization's credentials see it.

    ``transport`` and ``trust``: see :class:`~exporter.confluent.connection.Connection`.
    """

    def __init__(
        self,
        organization: Organization,
        *,
        clock: Clock,
        observer: Observer,
        random: Random,
        transport: httpx.AsyncBaseTransport | None = None,
        trust: Trust | None = None,
    ) -> None:
        self._organization = organization
        self._clock = clock
        self._observer = observer
        self._random = random
        self._throttle = Throttle(reserve=organization.rate_limit.reserve, random=random)
        self._unusable_headers: set[str] = set()
        """Those that were logged."""
        self._turn = asyncio.Lock()
        self._calm = asyncio.Event()
        self._calm.set()
        self.rate_limits: dict[str, RateLimit] = {}
        """By endpoint: the rate limit as the latest response said; for people."""
        self.waits: tuple[Wait, ...] = ()
        """The current pauses, for progress displays. Replaced, never changed: safe to read from
        another thread."""
        self._connection = Connection(
            organization.url,
            max_body=organization.max_response_bytes,
            transport=transport,
            trust=trust,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._connection.aclose()

    def budget(self, *, patience: float | None = None) -> Budget:
        """Return the budget of a refresh that begins now, with the credentials as they are now.

        CA certificates that have changed are taken up too.

        ``patience``: the seconds it may take in all, always behind the listing of the keys; without
        it, it is that listing, and may take the ``refresh_timeout``. Raises
        :class:`~exporter.errors.CredentialsError`.
        """
        api_key, secret = self._organization.credentials.read()
        self._connection.renew()
        timeout = self._organization.refresh_timeout if patience is None else patience
        return Budget(
            deadline=self._clock.monotonic() + timeout,
            auth=httpx.BasicAuth(api_key, secret.reveal()),
            redactor=redaction.know(secret.reveal(), user=api_key),
            timeout=timeout,
            patient=patience is not None,
        )

    @contextmanager
    def first_in_line(self) -> Iterator[None]:
        """Let the requests of patient refreshes wait while the context is open."""
        self._calm.clear()
        try:
            yield
        finally:
            self._calm.set()

    def wait(self, endpoints: Iterable[str]) -> float:
        """Return the seconds for which the API, or the reserve, allows no request to all of them.

        0 if requests to ``endpoints`` may be sent at once.
        """
        hold = self._throttle.hold(endpoints, now=self._clock.monotonic())
        return hold.seconds if hold else 0.0

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
        walk = Walk(endpoint=endpoint)
        while True:
            answer = await self._get(endpoint, url, query, budget)
            with self._counting(budget, answer):
                page = self._decode(listing, answer.body)
                token = walk.token_after(page.next)
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
                f"{error}. Check that `url` is the address of the API", endpoint=listing.endpoint
            ) from None

    async def _get(
        self, endpoint: str, url: str, query: Mapping[str, str], budget: Budget
    ) -> Answer:
        """Return a 200, after as many retries as the budget allows."""
        for attempt in range(_RETRIES_PER_REQUEST + 1):
            if budget.patient:
                await self._let_others_go_first(endpoint, budget)
            async with self._turn:
                try:
                    return await self._follow(endpoint, url, query, budget)
                except _WORTH_A_RETRY as error:
                    failure = error
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
            await self._hold(reason, pause, error=str(failure))
        raise AssertionError("the last attempt returns or raises")

    async def _let_others_go_first(self, endpoint: str, budget: Budget) -> None:
        try:
            async with asyncio.timeout(budget.deadline - self._clock.monotonic()):
                await self._calm.wait()
        except TimeoutError:
            raise self._out_of_time(endpoint, budget) from None

    def _pause_after(self, error: ApiError, attempt: int) -> tuple[str, float]:
        throttled = isinstance(error, RateLimited)
        own = (patience if throttled else backoff)(attempt, random=self._random)
        if error.retry_in >= own:
            return "retry_after", error.retry_in + self._random.random()
        return "backoff", own

    async def _follow(
        self, endpoint: str, url: str, query: Mapping[str, str] | None, budget: Budget
    ) -> Answer:
        """Return a 200, following redirects within the configured origin."""
        for hops_left in range(_MAX_REDIRECTS, -1, -1):
            await self._wait_for_the_window(endpoint, budget)
            with self._counting(budget):
                answer = await self._exchange(endpoint, url, query, budget)
                if answer.status == HTTPStatus.OK:
                    return answer
                if answer.status not in _REDIRECTS:
                    raise self._failure_of(answer, endpoint)
                url, query = target_of(answer, endpoint=endpoint, hops_left=hops_left), None
        raise AssertionError("the last redirect raises")

    def _failure_of(self, answer: Answer, endpoint: str) -> ApiError:
        error = failure_of(answer, endpoint=endpoint, wall=self._clock.wall())
        if error.retry_in and not isinstance(error, RateLimited):
            self._throttle.pause(endpoint, error.retry_in, now=self._clock.monotonic())
        return error

    async def _wait_for_the_window(self, endpoint: str, budget: Budget) -> None:
        # Only the holder of the turn sends, so no window can be opened while it sleeps: at most a
        # few rounds, each of which ends after the deadline or after the last window.
        while hold := self._throttle.hold([endpoint], now=self._clock.monotonic()):
            if self._clock.monotonic() + hold.seconds >= budget.deadline:
                raise OutOfBudget(self._too_little(endpoint, budget, hold), endpoint=endpoint)
            await self._hold("reserve" if hold.is_of_the_window else "retry_after", hold.seconds)
        if self._clock.monotonic() >= budget.deadline:
            raise self._out_of_time(endpoint, budget)

    def _too_little(self, endpoint: str, budget: Budget, hold: Hold) -> str:
        """Return why a refresh cannot end in time: the same words as long as the reason stays."""
        setting = _setting(budget)
        remedy = f"Raise it, lower `rate_limit.reserve`, or {_less(budget)}"
        given = self._throttle.allowance(endpoint, budget.timeout)
        if given is None or not hold.is_of_the_window:
            return f"{hold.source} allows no request before the {setting} is over. {remedy}"
        return (
            f"the listing needs more requests than the exporter's share: {given.share} of"
            f" {given.limit} per {given.window:.0f} s with the reserve of"
            f" {self._organization.rate_limit.reserve:g}, at most {given.share * given.windows}"
            f" within the {setting}. {remedy}"
        )

    @staticmethod
    def _out_of_time(endpoint: str, budget: Budget) -> RequestTimeout:
        return RequestTimeout(
            f"the refresh did not end within the {_setting(budget)}; raise it", endpoint=endpoint
        )

    async def _hold(self, reason: str, seconds: float, **facts: str) -> None:
        log.log(
            logging.INFO if seconds >= _LONG_WAIT else logging.DEBUG,
            _WAITING[reason],
            reason=reason,
            seconds=round(seconds, 1),
            **facts,
        )
        began = self._clock.monotonic()
        wait = Wait(began + seconds, reason)
        self.waits = (*self.waits, wait)
        try:
            await self._clock.sleep(seconds)
        finally:
            self.waits = tuple(each for each in self.waits if each is not wait)
            self._observer.throttled(reason, self._clock.monotonic() - began)

    async def _exchange(
        self, endpoint: str, url: str, query: Mapping[str, str] | None, budget: Budget
    ) -> Answer:
        """Send one request; return the answer as soon as its body is complete or of no use."""
        began = self._clock.monotonic()
        timeout = min(self._organization.request_timeout, budget.deadline - began)
        budget.requests[endpoint] += 1
        status: int | None = None

        def sending() -> None:
            self._throttle.sending(now=self._clock.monotonic())

        def headers_came(code: int, headers: httpx.Headers) -> None:
            nonlocal status
            status = code
            self._read_road_signs(endpoint, headers)

        try:
            answer = await self._connection.get(
                url,
                query,
                auth=budget.auth,
                timeout=timeout,
                sending=sending,
                headers_came=headers_came,
            )
            return replace(answer, body=budget.redactor.data(answer.body))
        except NameResolutionTimeout as error:
            raise RequestTimeout(
                f"the name {error.host} was not resolved in time. Check DNS: its servers do not"
                " answer",
                endpoint=endpoint,
            ) from None
        except TimeoutError:
            if timeout < self._organization.request_timeout:
                raise self._out_of_time(endpoint, budget) from None
            raise RequestTimeout(
                f"no complete answer within the `request_timeout` of {timeout:g} s; raise it if the"
                " API is slow",
                endpoint=endpoint,
            ) from None
        except ValueError as error:
            raise InvalidResponse(f"{error}", endpoint=endpoint) from None
        except TRANSPORT_ERRORS as error:
            route = self._connection.route
            raise failure_of_transport(error, endpoint=endpoint, route=route) from error
        finally:
            took = self._clock.monotonic() - began
            self._observer.answered(endpoint, status, took)
            log.debug("answered", endpoint=endpoint, status=status, seconds=round(took, 3))

    def _read_road_signs(self, endpoint: str, headers: httpx.Headers) -> None:
        said = read_rate_limit(headers)
        self._throttle.observe(endpoint, said, now=self._clock.monotonic())
        if not said.is_empty():
            self.rate_limits[endpoint] = said
            self._observer.rate_limit_said(endpoint, said)
        for name, value in unusable_headers(headers, said).items():
            if name not in self._unusable_headers:
                self._unusable_headers.add(name)
                log.warning(
                    "unusable rate-limit header",
                    header=name,
                    value=one_line(value, _LONGEST_HEADER),
                    endpoint=endpoint,
                )

    @contextmanager
    def _counting(self, budget: Budget, answer: Answer | None = None) -> Iterator[None]:
        """Count an error as that of a request, and give it the id of the ``answer`` it is about."""
        try:
            yield
        except ApiError as error:
            if answer is not None:
                error.request_id = answer.request_id
            budget.failures[error.endpoint] += 1
            self._observer.failed(error.endpoint, error.reason)
            raise


def _setting(budget: Budget) -> str:
    name = "`refresh_interval`" if budget.patient else "`refresh_timeout`"
    return f"{name} of {budget.timeout:.0f} s"


def _less(budget: Budget) -> str:
    return "switch some of it off" if budget.patient else "list less with `filters`"
