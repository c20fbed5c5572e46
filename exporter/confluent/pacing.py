"""The waits before requests: for the rate limit, and before retries."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

import structlog

from exporter.confluent.throttle import Throttle, backoff, rate_limit_backoff
from exporter.errors import ApiError, OutOfBudget, RateLimited, RequestTimeout

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from random import Random

    from exporter.clock import Clock
    from exporter.confluent.request import Budget, Observer, Request
    from exporter.confluent.throttle import Hold, RateLimitStatus

log = structlog.get_logger(__name__)

_LONG_WAIT = 5.0
"""Seconds. Longer waits are logged, because nothing else happens meanwhile."""
_EVENTS = {
    "reserve": "waiting for the rate limit to reset; the exporter has used its share of it",
    "retry_after": "waiting as long as the API asked",
    "backoff": "waiting before retrying a failed request",
}
"""Log messages by reason."""


class Wait(NamedTuple):
    """A wait before the next request."""

    until: float
    """Monotonic seconds."""
    reason: str
    """``reserve``, ``retry_after`` or ``backoff``."""


class Pacer:
    """Decides when requests to one host may be sent, and waits until then.

    ``reserve``: the share of every rate limit window that is left to other clients.
    ``reset_header``: see :class:`~exporter.confluent.throttle.Throttle`.
    """

    def __init__(
        self,
        *,
        reserve: float,
        reset_header: str,
        clock: Clock,
        observer: Observer,
        random: Random,
    ) -> None:
        self._reserve = reserve
        self._throttle = Throttle(reserve=reserve, reset_header=reset_header, random=random)
        self._clock = clock
        self._observer = observer
        self._random = random
        self.waits: tuple[Wait, ...] = ()
        """The current waits. Replaced, never changed: safe to read from another thread."""

    def resume(self, previous: Pacer) -> None:
        """Continue with the limits that ``previous`` knew."""
        self._throttle.resume(previous._throttle)

    def seconds_until_allowed(self, endpoints: Iterable[str]) -> float:
        """Return the seconds for which no request to ``endpoints`` may be sent; 0 if at once."""
        hold = self._throttle.hold(endpoints, now=self._clock.monotonic())
        return hold.seconds if hold else 0.0

    def record_request(self) -> None:
        """Count a request that is about to be sent."""
        self._throttle.record_request(now=self._clock.monotonic())

    def record_answer(self, endpoint: str, status: RateLimitStatus) -> None:
        """Record the rate limit in an answer of ``endpoint``."""
        self._throttle.record_answer(endpoint, status, now=self._clock.monotonic())

    def record_failure(self, error: ApiError) -> None:
        """Record the wait that the API asked for, except in a 429."""
        if error.retry_in and not isinstance(error, RateLimited):
            self._throttle.hold_endpoint(
                error.endpoint, error.retry_in, now=self._clock.monotonic()
            )

    def pause_after(self, error: ApiError, retries: int) -> tuple[str, float]:
        """Return the reason and the seconds of the wait after ``error`` and so far ``retries``.

        After a 429, every other request waits too.
        """
        rate_limited = isinstance(error, RateLimited)
        own = (rate_limit_backoff if rate_limited else backoff)(retries, random=self._random)
        reason, seconds = "backoff", own
        if error.retry_in >= own:
            reason, seconds = "retry_after", error.retry_in + self._random.random()
        if rate_limited:
            self._throttle.hold_all(error.endpoint, seconds, now=self._clock.monotonic())
        return reason, seconds

    async def wait_for_endpoint(self, request: Request, budget: Budget) -> None:
        """Wait as long as the endpoint of ``request`` has asked for after a failure.

        Raises :class:`~exporter.errors.OutOfBudget`, as :meth:`wait_for_window`.
        """
        while (hold := self._hold(request)) and not hold.is_rate_limit:
            await self._wait(hold, request, budget)

    def endpoint_asks_to_wait(self, request: Request) -> bool:
        """Whether :meth:`wait_for_endpoint` would wait."""
        hold = self._hold(request)
        return hold is not None and not hold.is_rate_limit

    async def wait_for_window(self, request: Request, budget: Budget) -> None:
        """Wait until the rate limit allows ``request``.

        Raises :class:`~exporter.errors.OutOfBudget` if that would be after the deadline of
        ``budget``, and :class:`~exporter.errors.RequestTimeout` if the deadline has passed.
        """
        # The caller holds the lock of the host, so no request opens a window meanwhile: this ends
        # after the last window or the deadline.
        while hold := self._hold(request):
            await self._wait(hold, request, budget)
        if self._clock.monotonic() >= budget.deadline:
            raise out_of_time(request, budget)

    def _hold(self, request: Request) -> Hold | None:
        return self._throttle.hold([request.endpoint], now=self._clock.monotonic())

    async def _wait(self, hold: Hold, request: Request, budget: Budget) -> None:
        if self._clock.monotonic() + hold.seconds >= budget.deadline:
            raise OutOfBudget(
                self._budget_message(request.endpoint, budget, hold),
                endpoint=request.endpoint,
                method=request.method,
            )
        await self.sleep("reserve" if hold.is_rate_limit else "retry_after", hold.seconds)

    def _budget_message(self, endpoint: str, budget: Budget, hold: Hold) -> str:
        """Return why the refresh cannot end in time; the same text while the cause is the same."""
        less = "disable part of it" if budget.low_priority else "list fewer keys with `filters`"
        remedy = f"Raise it, lower `rate_limit.reserve`, or {less}"
        granted = self._throttle.allowance(endpoint, budget.timeout)
        if granted is None or not hold.is_rate_limit:
            return (
                f"{hold.source} allows no request before the {budget.limit_name} is over. {remedy}"
            )
        return (
            f"the refresh needs more requests than the exporter's share: {granted.share} of"
            f" {granted.limit} per {granted.window:.0f} s with the reserve of {self._reserve:g},"
            f" at most {granted.share * granted.windows} within the {budget.limit_name}. {remedy}"
        )

    async def sleep(self, reason: str, seconds: float, **facts: str) -> None:
        """Wait ``seconds``; ``facts`` are logged."""
        log.log(
            logging.INFO if seconds >= _LONG_WAIT else logging.DEBUG,
            _EVENTS[reason],
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


@asynccontextmanager
async def locked(
    lock: asyncio.Lock, request: Request, budget: Budget, *, clock: Clock
) -> AsyncIterator[None]:
    """Hold ``lock`` in the context.

    The deadline applies to the wait for it, because a low-priority refresh may hold it for longer,
    such as until the STS allows a request. Raises :class:`~exporter.errors.RequestTimeout`.
    """
    try:
        async with asyncio.timeout(budget.deadline - clock.monotonic()):
            await lock.acquire()
    except TimeoutError:
        raise out_of_time(request, budget) from None
    try:
        yield
    finally:
        lock.release()


def out_of_time(request: Request, budget: Budget) -> RequestTimeout:
    """Return the error for a refresh that has reached its deadline."""
    return RequestTimeout(
        f"the refresh did not end within the {budget.limit_name}; raise it",
        endpoint=request.endpoint,
        method=request.method,
    )
