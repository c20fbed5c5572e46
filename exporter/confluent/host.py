"""One host of the API: sends a request at a time, authenticated, paced and retried."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from exporter.confluent.connection import Connection, url_of
from exporter.confluent.exchange import Exchange
from exporter.confluent.failures import failure_of, target_of
from exporter.confluent.headers import IAM
from exporter.confluent.pacing import Pacer, out_of_time
from exporter.confluent.request import Budget
from exporter.errors import (
    ConnectionFailed,
    CredentialsError,
    RateLimited,
    RequestTimeout,
    ServerError,
    Unauthorized,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from random import Random

    import httpx

    from exporter.clock import Clock
    from exporter.confluent.connection import Answer
    from exporter.confluent.credentials import Authentication, Credentials
    from exporter.confluent.headers import HeaderDialect
    from exporter.confluent.pacing import Wait
    from exporter.confluent.request import Observer, Request
    from exporter.confluent.throttle import RateLimitStatus
    from exporter.confluent.trust import Trust
    from exporter.errors import ApiError

_MAX_RETRIES = 4
_RETRIED = (RateLimited, ServerError, RequestTimeout, ConnectionFailed)
_RETRIED_UNREPEATABLE = (RateLimited,)
"""A request with a 429 was not processed."""
_MAX_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REDIRECTS_WITH_METHOD = frozenset({307, 308})


@dataclass(frozen=True)
class HostSettings:
    """The address of a host and the limits of its requests."""

    url: str
    """Without a slash at the end."""
    request_timeout: float
    """Seconds for one request."""
    max_body: int
    """Bytes of a body, as received and decompressed."""
    reserve: float
    """The share of every rate limit window that is left to other clients."""
    dialect: HeaderDialect = IAM
    """The rate-limit headers of the host."""


class Host:
    """A host of the API as one organization's credentials see it.

    Each host has its own rate limit, connection and lock, so that an exhausted one never stalls
    another. ``transport`` and ``trust``: see :class:`~exporter.confluent.connection.Connection`.
    """

    def __init__(
        self,
        settings: HostSettings,
        credentials: Credentials,
        *,
        clock: Clock,
        observer: Observer,
        random: Random,
        transport: httpx.AsyncBaseTransport | None = None,
        trust: Trust | None = None,
    ) -> None:
        self._settings = settings
        self._credentials = credentials
        self._clock = clock
        self._pacer = Pacer(
            reserve=settings.reserve,
            reset_header=settings.dialect.reset,
            clock=clock,
            observer=observer,
            random=random,
        )
        self._connection = Connection(
            settings.url, max_body=settings.max_body, transport=transport, trust=trust
        )
        self._exchange = Exchange(
            self._connection,
            request_timeout=settings.request_timeout,
            dialect=settings.dialect,
            pacer=self._pacer,
            clock=clock,
            observer=observer,
        )
        self._lock = asyncio.Lock()
        self._no_priority_requests = asyncio.Event()
        self._no_priority_requests.set()
        self._reading: asyncio.Future[Authentication | CredentialsError] | None = None

    @property
    def rate_limits(self) -> Mapping[str, RateLimitStatus]:
        """The latest rate limit, by endpoint."""
        return self._exchange.rate_limits

    @property
    def waits(self) -> tuple[Wait, ...]:
        """The current waits, for progress displays. Safe to read from another thread."""
        return self._pacer.waits

    async def aclose(self) -> None:
        """Close the connection."""
        await self._connection.aclose()

    async def begin(
        self,
        *,
        timeout: float,  # noqa: ASYNC109 # of the whole refresh
        setting: str = "refresh_timeout",
        low_priority: bool = False,
    ) -> Budget:
        """Return the budget of a refresh that begins now and may take ``timeout`` seconds.

        Reads the credentials and CA certificates again. ``setting``: the name of the setting that
        ``timeout`` comes from, for messages. ``low_priority``: whether its requests wait
        while a prioritized refresh is running. Raises :class:`~exporter.errors.CredentialsError`.
        """
        deadline = self._clock.monotonic() + timeout
        # In a worker thread, since a file system may hang, and in one at a time, since each that
        # hangs is lost.
        if self._reading is None or self._reading.done():
            self._reading = asyncio.ensure_future(asyncio.to_thread(self._read_files))
        reading = self._reading
        if not await self._is_done_by(deadline, reading):
            raise CredentialsError(
                "the files of the credentials and CA certificates could not be read within the"
                f" `{setting}` of {timeout:.0f} s. Check the file systems that they are on"
            )
        found = reading.result()
        if isinstance(found, CredentialsError):
            raise found
        return Budget(found, deadline, timeout, setting=setting, low_priority=low_priority)

    def _read_files(self) -> Authentication | CredentialsError:
        try:
            authentication = self._credentials.read()
        except CredentialsError as error:
            return error
        self._connection.renew()
        return authentication

    def resume(self, previous: Host) -> None:
        """Continue with the rate limits that ``previous``, a host with the same limit, knew."""
        self._pacer.resume(previous._pacer)

    @contextmanager
    def prioritized(self) -> Iterator[None]:
        """Make low-priority requests wait while the context is open."""
        self._no_priority_requests.clear()
        try:
            yield
        finally:
            self._no_priority_requests.set()

    def seconds_until_allowed(self, endpoints: Iterable[str]) -> float:
        """Return the seconds for which no request to ``endpoints`` may be sent; 0 if at once."""
        return self._pacer.seconds_until_allowed(endpoints)

    async def send(self, request: Request, budget: Budget) -> Answer:
        """Return the 200 that answers ``request``, after retries within ``budget``.

        Raises :class:`~exporter.errors.ApiError` and :class:`~exporter.errors.CredentialsError`.
        """
        retried = _RETRIED if request.repeatable else _RETRIED_UNREPEATABLE
        retries = 0
        while True:
            if budget.low_priority:
                await self._yield_to_priority(request, budget)
            # Without the lock, because only this endpoint asks for the wait.
            await self._pacer.wait_for_endpoint(request, budget)
            async with self._lock:
                if self._pacer.endpoint_asks_to_wait(request):  # since another answer
                    continue
                try:
                    return await self._authorized(request, budget)
                except retried as error:
                    failure = error
                    reason, pause = self._pacer.pause_after(error, retries)
                    if (
                        retries == _MAX_RETRIES
                        or budget.retries == 0
                        or self._clock.monotonic() + pause >= budget.deadline
                    ):
                        raise
            retries += 1
            budget.retries -= 1
            await self._pacer.sleep(reason, pause, error=str(failure))

    async def _yield_to_priority(self, request: Request, budget: Budget) -> None:
        if self._no_priority_requests.is_set():
            return
        waiting = asyncio.ensure_future(self._no_priority_requests.wait())
        try:
            if not await self._is_done_by(budget.deadline, waiting):
                raise out_of_time(request, budget)
        finally:
            waiting.cancel()

    async def _is_done_by(self, deadline: float, future: asyncio.Future[Any]) -> bool:
        """Return whether ``future`` is done at the monotonic ``deadline``; it is not cancelled."""
        left = deadline - self._clock.monotonic()
        timer = asyncio.ensure_future(self._clock.sleep(max(0.0, left)))
        try:
            await asyncio.wait({future, timer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
        return future.done()

    async def _authorized(self, request: Request, budget: Budget) -> Answer:
        """Return the 200, with other credentials if the first are refused and others exist."""
        try:
            return await self._send_following_redirects(request, budget)
        except Unauthorized:
            if not budget.authentication.refused():
                raise
        return await self._send_following_redirects(request, budget)

    async def _send_following_redirects(self, request: Request, budget: Budget) -> Answer:
        """Return the 200, following redirects within the configured origin."""
        endpoint = request.endpoint
        target = url_of(self._settings.url + endpoint, request.query)
        redirects = _REDIRECTS if request.method == "GET" else _REDIRECTS_WITH_METHOD
        hops_left = _MAX_REDIRECTS
        while True:
            await self._pacer.wait_for_window(request, budget)
            authorization = await budget.authentication.authorize()
            with self._exchange.counting_failures(request, budget):
                answer = await self._exchange.send(
                    request, target, authorization=authorization, budget=budget
                )
                if answer.status == HTTPStatus.OK:
                    return answer
                if answer.status not in redirects:
                    raise self._failure_of(answer, endpoint)
                target = target_of(answer, endpoint=endpoint, hops_left=hops_left)
            hops_left -= 1

    def _failure_of(self, answer: Answer, endpoint: str) -> ApiError:
        error = failure_of(
            answer, endpoint=endpoint, dialect=self._settings.dialect, wall=self._clock.wall()
        )
        self._pacer.record_failure(error)
        return error

    def counting_failures(
        self, request: Request, budget: Budget, answer: Answer
    ) -> AbstractContextManager[None]:
        """Count an error in the context as a failure of ``request``, which had ``answer``."""
        return self._exchange.counting_failures(request, budget, answer)
