"""One host of the API: sends a request at a time, authenticated, paced and retried."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from exporter.confluent.connection import Connection, url_of
from exporter.confluent.exchange import Exchange
from exporter.confluent.failures import API, failure_of
from exporter.confluent.file_access import FileAccess
from exporter.confluent.headers import IAM
from exporter.confluent.pacing import locked
from exporter.confluent.priority import Priority
from exporter.confluent.redirects import MAX_REDIRECTS, is_followed, target_of
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
    from collections.abc import Iterable, Mapping
    from contextlib import AbstractContextManager

    import httpx

    from exporter.clock import Clock
    from exporter.confluent.connection import Answer
    from exporter.confluent.credentials import Credentials
    from exporter.confluent.failures import Server
    from exporter.confluent.headers import HeaderDialect
    from exporter.confluent.pacing import Pacer, Wait
    from exporter.confluent.request import Authentication, Authorization, Observer, Request
    from exporter.confluent.throttle import RateLimitStatus
    from exporter.confluent.trust import Trust
    from exporter.errors import ApiError

_MAX_RETRIES = 4
_RETRIED = (RateLimited, ServerError, RequestTimeout, ConnectionFailed)
_RETRIED_UNREPEATABLE = (RateLimited,)
"""A request with a 429 was not processed."""


@dataclass(frozen=True)
class HostSettings:
    """The address of a host and the limits of its requests."""

    url: str
    """Without a slash at the end."""
    request_timeout: float
    """Seconds for one request."""
    max_body: int
    """Bytes of a body, as received and decompressed."""
    dialect: HeaderDialect = IAM
    """The rate-limit headers of the host."""
    server: Server = API
    """Its name in messages."""


class Host:
    """A host of the API as one organization's credentials see it.

    Each host has its own connection and lock, and one address has one rate limit, so that an
    exhausted host never stalls another. ``pacer``: of all hosts at the address. ``transport`` and
    ``trust``: see :class:`~exporter.confluent.connection.Connection`.
    """

    def __init__(
        self,
        settings: HostSettings,
        credentials: Credentials,
        *,
        pacer: Pacer,
        clock: Clock,
        observer: Observer,
        transport: httpx.AsyncBaseTransport | None = None,
        trust: Trust | None = None,
    ) -> None:
        self._settings = settings
        self._credentials = credentials
        self._clock = clock
        self._pacer = pacer
        self._connection = Connection(
            settings.url, max_body=settings.max_body, transport=transport, trust=trust
        )
        self._exchange = Exchange(
            self._connection,
            request_timeout=settings.request_timeout,
            dialect=settings.dialect,
            server=settings.server,
            pacer=pacer,
            clock=clock,
            observer=observer,
        )
        self._lock = asyncio.Lock()
        self._priority = Priority(clock=clock)
        # Not a method of this host, which would be a reference cycle.
        self._files = FileAccess(partial(_read_files, credentials, self._connection), clock=clock)

    @property
    def rate_limits(self) -> Mapping[str, RateLimitStatus]:
        """The latest rate limit, by endpoint."""
        return self._exchange.rate_limits

    @property
    def waits(self) -> tuple[Wait, ...]:
        """The current waits, for progress displays. Safe to read from another thread."""
        return self._pacer.waits

    @property
    def credentials(self) -> Credentials:
        """The credentials, which other hosts may share."""
        return self._credentials

    async def aclose(self) -> None:
        """Close the connections. The next request opens them again."""
        await self._connection.aclose()
        await self._credentials.aclose()

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
        try:
            found = await self._files.run(deadline=deadline)
        except TimeoutError:
            raise CredentialsError(
                "the files of the credentials and CA certificates could not be read within the"
                f" `{setting}` of {timeout:.0f} s. Check the file systems that they are on"
            ) from None
        return Budget(found, deadline, timeout, setting=setting, low_priority=low_priority)

    def resume(self, previous: Host) -> None:
        """Continue with the rate limits, and the tokens or key id, of ``previous``.

        It had the same address and the same settings of its credentials.
        """
        self._pacer.resume(previous._pacer)
        self._credentials.resume(previous._credentials)

    def prioritized(self) -> AbstractContextManager[None]:
        """Make low-priority requests wait while the context is open."""
        return self._priority.held()

    def seconds_until_allowed(self, endpoints: Iterable[str]) -> float:
        """Return the seconds for which no request to ``endpoints`` may be sent; 0 if at once."""
        return self._pacer.seconds_until_allowed(endpoints)

    async def send(self, request: Request, budget: Budget) -> Answer:
        """Return the 200 that answers ``request``, after retries within ``budget``.

        Raises :class:`~exporter.errors.ApiError` and :class:`~exporter.errors.CredentialsError`.
        """
        retried = _RETRIED if request.repeatable else _RETRIED_UNREPEATABLE
        path = request.endpoint if request.path is None else request.path
        target = url_of(self._settings.url + path, request.query)
        retries, hops_left, was_refused = 0, MAX_REDIRECTS, False
        failure: ApiError | None = None
        while True:
            if budget.low_priority:
                await self._priority.wait(request, budget)
            # Without the lock, because only this endpoint asks for the wait.
            await self._pacer.wait_for_endpoint(request, budget)
            async with locked(self._lock, request, budget, clock=self._clock):
                if self._pacer.endpoint_asks_to_wait(request):  # since another answer
                    continue
                authorization = await budget.authentication.authorize(budget)
                await self._pacer.wait_for_window(request, budget)
                if self._clock.monotonic() >= authorization.expires:
                    continue  # without the lock, so that a prioritized request comes first
                try:
                    answer = await self._send_once(request, target, authorization, budget)
                    if answer.status == HTTPStatus.OK:
                        return answer
                    with self._exchange.counting_failures(request, budget):
                        target = target_of(
                            answer,
                            endpoint=request.endpoint,
                            server=self._settings.server,
                            hops_left=hops_left,
                        )
                    hops_left -= 1
                    continue
                except Unauthorized:
                    if was_refused or not budget.replaces(authorization):
                        raise
                    was_refused = True
                    continue
                except retried as error:
                    reason, pause = self._pause_after(error, failure, retries, budget)
                    failure = error
            retries += 1
            budget.retries -= 1
            await self._pacer.sleep(reason, pause, error=str(failure))

    def _pause_after(
        self, error: ApiError, previous: ApiError | None, retries: int, budget: Budget
    ) -> tuple[str, float]:
        """Return the reason and the seconds of the wait before the next retry.

        Raises ``error`` if there is none, or ``previous`` if the deadline only cut a retry short.
        """
        reason, pause = self._pacer.pause_after(error, retries)
        now = self._clock.monotonic()
        if retries < _MAX_RETRIES and budget.retries > 0 and now + pause < budget.deadline:
            return reason, pause
        raise previous if previous and now >= budget.deadline else error

    async def _send_once(
        self, request: Request, target: httpx.URL, authorization: Authorization, budget: Budget
    ) -> Answer:
        """Return the 200, or a redirect that may be followed."""
        with self._exchange.counting_failures(request, budget):
            answer = await self._exchange.send(
                request, target, authorization=authorization, budget=budget
            )
            if answer.status == HTTPStatus.OK or is_followed(request, answer):
                return answer
            error = failure_of(
                answer,
                endpoint=request.endpoint,
                causes={**authorization.causes, **request.causes},
                server=self._settings.server,
                dialect=self._settings.dialect,
                wall=self._clock.wall(),
            )
            self._pacer.record_failure(error)
            raise error

    def counting_failures(
        self, request: Request, budget: Budget, answer: Answer
    ) -> AbstractContextManager[None]:
        """Count an error in the context as a failure of ``request``, which had ``answer``."""
        return self._exchange.counting_failures(request, budget, answer)


def _read_files(credentials: Credentials, connection: Connection) -> Authentication:
    authentication = credentials.read()
    connection.renew()
    return authentication
