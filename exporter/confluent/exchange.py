"""Sends one request and records its outcome: duration, status, rate limit, failure."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from exporter.confluent.connection import TRANSPORT_ERRORS
from exporter.confluent.network import NameResolutionTimeout
from exporter.confluent.pacing import out_of_time
from exporter.confluent.transport_failures import failure_of_transport
from exporter.errors import ApiError
from exporter.escaping import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from exporter.clock import Clock
    from exporter.confluent.connection import Answer, Connection
    from exporter.confluent.failures import Server
    from exporter.confluent.headers import HeaderDialect
    from exporter.confluent.pacing import Pacer
    from exporter.confluent.request import Authorization, Budget, Observer, Request
    from exporter.confluent.throttle import RateLimitStatus

log = structlog.get_logger(__name__)

_MAX_HEADER_LENGTH = 64
"""Characters, in a log line."""


class Exchange:
    """Sends single requests over ``connection`` and records their outcome.

    ``request_timeout``: seconds for one request. ``dialect``: the rate-limit headers of the host.
    ``server``: its name in messages.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        request_timeout: float,
        dialect: HeaderDialect,
        server: Server,
        pacer: Pacer,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self._connection = connection
        self._request_timeout = request_timeout
        self._dialect = dialect
        self._server = server
        self._pacer = pacer
        self._clock = clock
        self._observer = observer
        self._logged_headers: set[str] = set()
        """Unusable headers that have been logged."""
        self.rate_limits: dict[str, RateLimitStatus] = {}
        """By endpoint: the latest rate limit."""

    async def send(
        self,
        request: Request,
        target: httpx.URL,
        *,
        authorization: Authorization,
        budget: Budget,
    ) -> Answer:
        """Send ``request`` to ``target`` once; return the answer, whatever its status.

        Raises :class:`~exporter.errors.ApiError` if there is no complete answer.
        """
        endpoint = request.endpoint
        began = self._clock.monotonic()
        timeout = min(self._request_timeout, budget.deadline - began)
        budget.requests[endpoint] += 1
        status: int | None = None

        def on_headers(code: int, received: httpx.Headers) -> None:
            nonlocal status
            status = code
            self._record_rate_limit(endpoint, received)

        try:
            answer = await self._connection.send(
                request,
                target,
                headers=authorization.headers,
                timeout=timeout,
                on_send=self._pacer.record_request,
                on_headers=on_headers,
            )
            body = answer.body
            for redactor in authorization.redactors:
                body = redactor.data(body)
            return replace(answer, body=body, requested_at=began)
        except (TimeoutError, ValueError, *TRANSPORT_ERRORS) as error:
            is_timeout = isinstance(error, TimeoutError)
            is_of_dns = isinstance(error, NameResolutionTimeout)
            if is_timeout and not is_of_dns and timeout < self._request_timeout:
                raise out_of_time(request, budget) from None
            route = self._connection.route
            raise failure_of_transport(
                error, endpoint=endpoint, server=self._server, route=route, timeout=timeout
            ) from error
        finally:
            took = self._clock.monotonic() - began
            self._observer.request_ended(endpoint, status, took)
            log.debug("answered", endpoint=endpoint, status=status, seconds=round(took, 3))

    def _record_rate_limit(self, endpoint: str, headers: httpx.Headers) -> None:
        rate_limit = self._dialect.rate_limit(headers)
        self._pacer.record_answer(endpoint, rate_limit)
        if not rate_limit.is_empty():
            self.rate_limits[endpoint] = rate_limit
            self._observer.rate_limit_observed(endpoint, rate_limit)
        for name, value in self._dialect.unusable(headers, rate_limit).items():
            if name not in self._logged_headers:
                self._logged_headers.add(name)
                log.warning(
                    "unusable rate-limit header",
                    header=name,
                    value=one_line(value, _MAX_HEADER_LENGTH),
                    endpoint=endpoint,
                )

    @contextmanager
    def counting_failures(
        self, request: Request, budget: Budget, answer: Answer | None = None
    ) -> Iterator[None]:
        """Count an error as a failure of ``request``, and add the id of the ``answer`` to it."""
        try:
            yield
        except ApiError as error:
            error.method = request.method
            if answer is not None:
                error.request_id = answer.request_id
            budget.failures[error.endpoint] += 1
            self._observer.failed(error.endpoint, error.reason)
            raise
