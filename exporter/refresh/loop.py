"""The loop that keeps one organization's inventory true."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import structlog

from exporter.errors import (
    REQUEST_FAILURE_REASONS,
    ApiError,
    CredentialsError,
)
from exporter.inventory import fold
from exporter.refresh.api_keys import list_keys
from exporter.refresh.schedule import delay_after_failure, delay_after_success
from exporter.refresh.state import (
    CollectorState,
    Failure,
    OrganizationState,
    failure_from,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random

    from exporter.clock import Clock
    from exporter.config import Organization
    from exporter.confluent.client import Budget, Client

log = structlog.get_logger(__name__)

API_KEYS_COLLECTOR = "api_keys"
_INTERNAL = "internal"
REFRESH_FAILURE_REASONS: tuple[str, ...] = (
    *REQUEST_FAILURE_REASONS,
    CredentialsError.reason,
    _INTERNAL,
)
"""Every value of the label ``reason`` of the refresh failures."""


class Observer(Protocol):
    """Who wants to know how refreshes end; the metrics plug in here."""

    def refreshed(self, collector: str, reason: str | None) -> None:
        """A refresh ended; ``reason`` is None if it succeeded."""


class Refresher:
    """Refreshes one organization and holds what is known of it in ``state``.

    ``publish`` is called with each new state.
    """

    def __init__(
        self,
        organization: Organization,
        *,
        client: Client,
        clock: Clock,
        random: Random,
        observer: Observer,
        publish: Callable[[OrganizationState], Awaitable[None]],
    ) -> None:
        self._organization = organization
        self._client = client
        self._clock = clock
        self._random = random
        self._observer = observer
        self._publish = publish
        self.state = OrganizationState(
            organization.name, collectors={API_KEYS_COLLECTOR: CollectorState()}
        )

    async def run(self) -> None:
        """Refresh at once and then for ever; ends only by cancellation."""
        while True:
            next_start = await self.refresh()
            await self._clock.sleep(max(0.0, next_start - self._clock.monotonic()))

    async def refresh(self) -> float:
        """Refresh once; return the monotonic time at which to do so again. Never raises."""
        with structlog.contextvars.bound_contextvars(organization=self._organization.name):
            return await self._refresh()

    async def _refresh(self) -> float:
        began = self._clock.monotonic()
        budget: Budget | None = None
        state, failure = self.state, None
        try:
            budget = self._client.budget()
            state = await self._list_and_fold(budget)
        except (ApiError, CredentialsError) as error:
            failure = failure_from(error)
        except Exception:
            failure = Failure(_INTERNAL, "an error in the exporter itself; see its log", None)
            log.exception("error in the exporter; please report it")
        ended = self._clock.monotonic()
        again = failure is not None and failure.is_like(self._before.failure)
        delay = self._delay(failure, took=ended - began)
        self.state = self._concluded(state, failure, budget, took=ended - began, delay=delay)
        self._observer.refreshed(API_KEYS_COLLECTOR, failure.reason if failure else None)
        requests = sum(budget.requests.values()) if budget else 0
        seconds, next_in = round(ended - began, 3), round(delay, 1)
        if failure is None:
            log.info(
                "refreshed",
                keys=state.inventory.total if state.inventory else 0,
                seconds=seconds,
                requests=requests,
                next_in=next_in,
            )
        else:
            self._log_failure(
                failure, again=again, seconds=seconds, requests=requests, next_in=next_in
            )
        await self._publish(self.state)
        return ended + delay

    @staticmethod
    def _log_failure(failure: Failure, *, again: bool, **facts: float) -> None:
        """Say in full what is wrong when it begins to be wrong, and after that only that it is."""
        if again:
            log.warning("refresh failed again as before", reason=failure.reason, **facts)
        else:
            log.error(
                "refresh failed",
                reason=failure.reason,
                error=failure.message,
                request_id=failure.request_id,
                **facts,
            )

    async def _list_and_fold(self, budget: Budget) -> OrganizationState:
        settings = self._organization
        listing = await list_keys(self._client, settings.filters, budget)
        inventory = await asyncio.to_thread(
            fold,
            listing.keys,
            max_pairs=settings.max_pairs,
            unreadable=listing.unreadable,
            previous=self.state.inventory,
        )
        fresh_until = self._clock.monotonic() + settings.stale_after
        return replace(self.state, inventory=inventory, fresh_until=fresh_until)

    def _delay(self, failure: Failure | None, *, took: float) -> float:
        """Return the seconds from the end of this refresh to the start of the next."""
        interval = self._organization.refresh_interval
        if failure is None:
            return delay_after_success(interval=interval, took=took)
        delay = delay_after_failure(
            reason=failure.reason,
            failures_in_a_row=self._before.failures_in_a_row + 1,
            interval=interval,
            random=self._random,
        )
        return max(delay, self._client.wait())

    def _concluded(
        self,
        state: OrganizationState,
        failure: Failure | None,
        budget: Budget | None,
        *,
        took: float,
        delay: float,
    ) -> OrganizationState:
        """Return ``state`` with what became of this refresh."""
        now = self._clock.wall()
        collector = CollectorState(
            finished=now,
            succeeded=self._before.succeeded if failure else now,
            duration=took,
            failure=failure,
            failures_in_a_row=self._before.failures_in_a_row + 1 if failure else 0,
            next_start=now + delay,
            error_ratios=budget.error_ratios() if budget else {},
        )
        return replace(
            state,
            collectors={**state.collectors, API_KEYS_COLLECTOR: collector},
            rate_limits=dict(self._client.rate_limits),
        )

    @property
    def _before(self) -> CollectorState:
        return self.state.collectors[API_KEYS_COLLECTOR]
