"""The loop that keeps what one collector knows of one organization true."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import structlog

from exporter.errors import (
    REQUEST_FAILURE_REASONS,
    ApiError,
    ConnectionFailed,
    CredentialsError,
    Forbidden,
    TlsFailed,
    Unauthorized,
)
from exporter.refresh.schedule import delay_after_failure, delay_after_success
from exporter.refresh.state import CollectorState, Failure, OrganizationState, failure_from

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

    from exporter.clock import Clock
    from exporter.confluent.client import Budget, Client
    from exporter.refresh.holder import Holder

log = structlog.get_logger(__name__)

API_KEYS = "api_keys"
"""The collector that the others go behind."""
_INTERNAL = "internal"
_EARLY_RETRIES = 3
"""After refused credentials; each waits for a listing of the keys."""
REFRESH_FAILURE_REASONS: tuple[str, ...] = (
    *REQUEST_FAILURE_REASONS,
    CredentialsError.reason,
    _INTERNAL,
)
"""Every value of the label ``reason`` of the refresh failures."""


Change = Callable[[OrganizationState], OrganizationState]


@dataclass(frozen=True)
class Outcome:
    """What a collector brought."""

    change: Change
    """What it changes in the state."""
    failure: Failure | None = None
    """Why a part of it could not be fetched; the rest is in ``change``."""
    served: Callable[[], None] = lambda: None
    """Called, off the event loop, when the change is served."""


class Collector(Protocol):
    """One kind of thing that is fetched of an organization."""

    @property
    def name(self) -> str:
        """Value of the label ``collector``."""

    @property
    def interval(self) -> float:
        """Seconds from the start of one refresh to the start of the next."""

    @property
    def stale_after(self) -> float | None:
        """Seconds after which what was fetched is too old to be shown; None if it never is."""

    @property
    def patient(self) -> bool:
        """Whether it goes behind the listing of the keys, and nowhere if that is refused."""

    @property
    def endpoints(self) -> Sequence[str]:
        """The path templates that it asks."""

    async def collect(self, client: Client, budget: Budget, state: OrganizationState) -> Outcome:
        """Fetch everything; ``state`` is what is known by now.

        Raises :class:`~exporter.errors.ApiError`; then nothing changes.
        """


_INTERNAL_FAILURE = Failure(_INTERNAL, "an error in the exporter itself; see its log", None)


class Refresher:
    """Refreshes what ``collector`` fetches, and puts it into ``holder``."""

    def __init__(
        self,
        collector: Collector,
        holder: Holder,
        *,
        client: Client,
        clock: Clock,
        random: Random,
    ) -> None:
        self._collector = collector
        self._holder = holder
        self._client = client
        self._clock = clock
        self._random = random

    @property
    def patient(self) -> bool:
        """As that of its collector."""
        return self._collector.patient

    async def run(self, *, after: float = 0.0) -> None:
        """Refresh ``after`` so many seconds and then for ever; ends only by cancellation."""
        await self._clock.sleep(after)
        while True:
            recovered, listed = self._holder.recovered, self._holder.listed
            next_start = await self.refresh()
            await self._sleep(
                max(0.0, next_start - self._clock.monotonic()), recovered=recovered, listed=listed
            )

    async def _sleep(
        self, seconds: float, *, recovered: asyncio.Event, listed: asyncio.Event
    ) -> None:
        """Sleep until the next refresh.

        A low-priority refresh that failed because of the credentials is due once the keys have
        ``recovered`` from that. An API key that was just created is refused for some seconds, not
        by all endpoints for equally long, and the interval of the names is an hour: if the keys
        were not refused, it is due once they are ``listed`` again, but not for ever.
        """
        state = self._holder.state.collectors[self._collector.name]
        failure = state.failure
        if not self._collector.patient or failure is None or not failure.is_of_credentials:
            await self._clock.sleep(seconds)
            return
        may_be_new = (
            failure.reason != Forbidden.reason and state.failures_in_a_row <= _EARLY_RETRIES
        )
        due = listed if may_be_new else recovered
        either = [
            asyncio.ensure_future(self._clock.sleep(seconds)),
            asyncio.ensure_future(due.wait()),
        ]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in either:
                each.cancel()

    async def refresh(self) -> float:
        """Refresh once; return the monotonic time at which to do so again. Never raises."""
        name = self._holder.state.name
        with structlog.contextvars.bound_contextvars(organization=name):
            try:
                return await self._refresh()
            except Exception:
                log.exception("error in the exporter; please report it")
                return self._clock.monotonic() + self._collector.interval

    async def _refresh(self) -> float:
        if self._collector.patient:
            await self._holder.attempted.wait()
        began = self._clock.monotonic()
        budget: Budget | None = None
        try:
            self._raise_if_keys_unavailable()
            patience = self._collector.interval if self._collector.patient else None
            budget = self._client.budget(patience=patience)
            outcome = await self._collector.collect(self._client, budget, self._holder.state)
        except (ApiError, CredentialsError) as error:
            outcome = Outcome(_no_change, failure_from(error))
        except Exception:
            outcome = Outcome(_no_change, _INTERNAL_FAILURE)
            log.exception("error in the exporter; please report it")
        try:
            after = await self._conclude(outcome, budget, began=began)
        except Exception:
            log.exception("error in the exporter; please report it")
            outcome = Outcome(_no_change, _INTERNAL_FAILURE)
            after = await self._conclude(outcome, budget, began=began)
        await asyncio.to_thread(outcome.served)
        return self._clock.monotonic() + after.delay

    def _raise_if_keys_unavailable(self) -> None:
        """Raise if the keys could not be listed for a reason that all endpoints share."""
        if not self._collector.patient:
            return
        failure = self._holder.state.collectors[API_KEYS].failure
        for kind in (Unauthorized, Forbidden, ConnectionFailed, TlsFailed):
            if failure is not None and failure.reason == kind.reason:
                raise kind(
                    "not asked, because the API keys could not be listed for the same reason",
                    endpoint=self._collector.endpoints[0],
                )

    async def _conclude(
        self, outcome: Outcome, budget: Budget | None, *, began: float
    ) -> CollectorState:
        """Put ``outcome`` into the holder; return what is known of the collector then."""
        name = self._collector.name
        before = self._holder.state.collectors[name]
        ended = self._clock.monotonic()
        after = self._concluded(before, outcome.failure, budget, began=began, ended=ended)

        def change(state: OrganizationState) -> OrganizationState:
            return replace(
                outcome.change(state),
                collectors={**state.collectors, name: after},
                rate_limits=dict(self._client.rate_limits),
            )

        await self._holder.replace(change)
        self._log(before, after, budget)
        return after

    def _concluded(
        self,
        before: CollectorState,
        failure: Failure | None,
        budget: Budget | None,
        *,
        began: float,
        ended: float,
    ) -> CollectorState:
        """Return what is known of the collector after this refresh."""
        failures_in_a_row = before.failures_in_a_row + 1 if failure else 0
        interval = self._collector.interval
        if failure is None:
            delay = delay_after_success(interval=interval, took=ended - began)
        else:
            delay = delay_after_failure(
                reason=failure.reason,
                failures_in_a_row=failures_in_a_row,
                interval=interval,
                random=self._random,
            )
            delay = max(delay, self._client.wait(self._collector.endpoints))
        now = self._clock.wall()
        return CollectorState(
            finished=now,
            succeeded=before.succeeded if failure else now,
            duration=ended - began,
            failure=failure,
            failures_in_a_row=failures_in_a_row,
            delay=delay,
            error_ratios=budget.error_ratios() if budget else {},
            refreshes=before.refreshes + 1,
            failures=_counted(before.failures, failure),
        )

    def _log(self, before: CollectorState, after: CollectorState, budget: Budget | None) -> None:
        """Say in full what is wrong when it begins to be wrong, and after that only that it is."""
        facts = {
            "collector": self._collector.name,
            "seconds": round(after.duration or 0.0, 3),
            "requests": sum(budget.requests.values()) if budget else 0,
            "next_in_seconds": round(after.delay, 1),
        }
        failure = after.failure
        if failure is None:
            log.info("refreshed", **facts)
        elif failure.is_like(before.failure):
            log.warning("refresh failed again as before", reason=failure.reason, **facts)
        else:
            request = {"request_id": failure.request_id} if failure.request_id else {}
            log.error(
                "refresh failed", reason=failure.reason, error=failure.message, **request, **facts
            )


def _counted(failures: Mapping[str, int], failure: Failure | None) -> Mapping[str, int]:
    if failure is None:
        return failures
    return {**failures, failure.reason: failures.get(failure.reason, 0) + 1}


def _no_change(state: OrganizationState) -> OrganizationState:
    return state
