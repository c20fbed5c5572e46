"""The loop that refreshes one collector of one organization."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from exporter.errors import ApiError, CredentialsError, Forbidden
from exporter.refresh.collector import Outcome
from exporter.refresh.failure import INTERNAL_FAILURE, Failure, failure_from
from exporter.refresh.schedule import delay_after_failure, delay_after_success

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from exporter.clock import Clock
    from exporter.confluent.host import Host
    from exporter.confluent.request import Budget
    from exporter.refresh.collector import RefreshedCollector
    from exporter.refresh.holder import Holder
    from exporter.refresh.state import OrganizationState, RefreshStatus

log = structlog.get_logger(__name__)

_EARLY_RETRIES = 3
"""Retries before the next interval after rejected credentials; each waits for a key listing."""
_NOT_REQUESTED = "not requested, because the API keys could not be listed for the same reason"


class Refresher:
    """Refreshes what ``collector`` fetches and publishes it through ``holder``."""

    def __init__(
        self,
        collector: RefreshedCollector,
        holder: Holder,
        *,
        host: Host,
        refresh_timeout: float,
        clock: Clock,
        random: Random,
    ) -> None:
        """``refresh_timeout``: seconds that a refresh of the keys may take."""
        self.collector = collector
        self._holder = holder
        self._host = host
        self._refresh_timeout = refresh_timeout
        self._clock = clock
        self._random = random

    async def run(self, *, after: float = 0.0) -> None:
        """Wait ``after`` seconds, then refresh until cancelled."""
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

        A low-priority refresh that failed because of the credentials is due as soon as the key
        listing has ``recovered`` from that. The API rejects a new API key for some seconds, and not
        on all endpoints for equally long. If the key listing was accepted, the refresh is therefore
        also due at the next few times that the keys are ``listed``, long before its own interval.
        """
        state = self._holder.state.refreshes[self.collector.name]
        failure = state.failure
        if not self.collector.low_priority or failure is None or not failure.is_credentials_failure:
            await self._clock.sleep(seconds)
            return
        key_may_be_new = (
            failure.reason != Forbidden.reason and state.failures_in_a_row <= _EARLY_RETRIES
        )
        due = listed if key_may_be_new else recovered
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
        """Refresh once; return the monotonic time of the next refresh. Never raises."""
        name = self._holder.state.name
        with structlog.contextvars.bound_contextvars(organization=name):
            try:
                return await self._refresh()
            except Exception:
                log.exception("error in the exporter; please report it")
                self._holder.attempted.set()  # the others must not wait for ever
                return self._clock.monotonic() + self.collector.interval

    async def _refresh(self) -> float:
        if self.collector.low_priority:
            await self._holder.attempted.wait()
        began = self._clock.monotonic()
        budget: Budget | None = None
        try:
            if failure := self._shared_failure():
                outcome = Outcome(_no_change, failure)
            else:
                budget = await self._begin()
                outcome = await self.collector.collect(self._host, budget, self._holder.state)
        except (ApiError, CredentialsError) as error:
            outcome = Outcome(_no_change, failure_from(error))
        except Exception:
            outcome = Outcome(_no_change, INTERNAL_FAILURE)
            log.exception("error in the exporter; please report it")
        before = self._holder.state.refreshes[self.collector.name]
        ended = self._clock.monotonic()
        try:
            after = await self._record(outcome, budget, began=began, ended=ended)
        except Exception:
            log.exception("error in the exporter; please report it")
            outcome = Outcome(_no_change, INTERNAL_FAILURE)
            after = await self._record(outcome, budget, began=began, ended=ended)
        self._log(before, after, budget)
        await asyncio.to_thread(outcome.on_published)
        return ended + after.delay

    async def _begin(self) -> Budget:
        if not self.collector.low_priority:
            return await self._host.begin(timeout=self._refresh_timeout)
        return await self._host.begin(
            timeout=self.collector.interval,
            setting=f"{self.collector.name}.refresh_interval",
            low_priority=True,
        )

    def _shared_failure(self) -> Failure | None:
        """Return why the keys could not be listed, if all endpoints share the reason."""
        failure = self._holder.state.prioritized.failure
        if not self.collector.low_priority or failure is None or not failure.affects_all_endpoints:
            return None
        return Failure(failure.reason, _NOT_REQUESTED, None)

    async def _record(
        self, outcome: Outcome, budget: Budget | None, *, began: float, ended: float
    ) -> RefreshStatus:
        """Publish ``outcome``; return the collector's new state."""
        name = self.collector.name
        before = self._holder.state.refreshes[name]
        after = self._next_state(before, outcome.failure, budget, began=began, ended=ended)
        credentials = self._host.credentials

        def change(state: OrganizationState) -> OrganizationState:
            # Other collectors may read an older or newer key than the listing did.
            lists_keys = not self.collector.low_priority
            return replace(
                outcome.apply(state),
                refreshes={**state.refreshes, name: after},
                rate_limits={**state.rate_limits, **self._host.rate_limits},
                token=credentials.token_status,
                api_key_id=credentials.api_key_id if lists_keys else state.api_key_id,
            )

        await self._holder.replace(change)
        return after

    def _next_state(
        self,
        before: RefreshStatus,
        failure: Failure | None,
        budget: Budget | None,
        *,
        began: float,
        ended: float,
    ) -> RefreshStatus:
        """Return the collector's state after this refresh."""
        failures_in_a_row = before.failures_in_a_row + 1 if failure else 0
        interval = self.collector.interval
        if failure is None:
            delay = delay_after_success(interval=interval, took=ended - began)
        else:
            delay = delay_after_failure(
                reason=failure.reason,
                failures_in_a_row=failures_in_a_row,
                interval=interval,
                random=self._random,
            )
            delay = max(delay, self._host.seconds_until_allowed(self.collector.endpoints))
        now = self._clock.wall()
        return replace(
            before,
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

    def _log(self, before: RefreshStatus, after: RefreshStatus, budget: Budget | None) -> None:
        """Log a failure in full the first time, and briefly while it stays the same."""
        facts = {
            "collector": self.collector.name,
            "seconds": round(after.duration or 0.0, 3),
            "requests": sum(budget.requests.values()) if budget else 0,
            "next_in_seconds": round(after.delay, 1),
        }
        failure = after.failure
        if failure is None:
            log.info("refreshed", **facts)
        elif failure.is_like(before.failure):
            log.warning("refresh failed again for the same reason", reason=failure.reason, **facts)
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
