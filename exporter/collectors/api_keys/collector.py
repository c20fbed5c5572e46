"""The collector of the API keys."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import structlog

from exporter.collectors.api_keys.listing import list_keys
from exporter.collectors.api_keys.page_cache import PageCache
from exporter.collectors.api_keys.rendering import METRICS, render
from exporter.collectors.api_keys.settings import fold_settings
from exporter.collectors.api_keys.state import API_KEYS_STATE, ChurnTotals, with_inventory
from exporter.collectors.api_keys.summary import summarize
from exporter.collectors.names import DIRECTORY
from exporter.collectors.usage_state import USAGE
from exporter.confluent.endpoints import API_KEYS
from exporter.inventory import Churn, churn, count_by_kinds
from exporter.refresh import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Self

    from exporter.clock import Clock
    from exporter.config import Organization
    from exporter.confluent.host import Host
    from exporter.confluent.request import Budget
    from exporter.exposition import Part
    from exporter.exposition.catalogue import Metric
    from exporter.refresh import OrganizationState
    from exporter.summary import Summary

log = structlog.get_logger(__name__)
_NO_CHURN = Churn((), (), ())
_CHURN_LOGGED = 1000  # per listing; a lost role would fill the disk with hidden keys


class ApiKeysCollector:
    """Lists the keys of ``organization`` and folds them into its inventory."""

    name = API_KEYS_STATE.collector
    low_priority = False
    host_name = "api"
    endpoints = (API_KEYS.endpoint,)
    metrics: ClassVar[Sequence[Metric]] = METRICS

    def __init__(self, organization: Organization, *, clock: Clock) -> None:
        self._organization = organization
        self._settings = fold_settings(organization)
        self._clock = clock
        self._page_cache = PageCache()
        self.interval = organization.refresh_interval
        self.stale_after = organization.stale_after

    @classmethod
    def create(cls, organization: Organization, *, clock: Clock) -> Self | None:
        """See :class:`~exporter.collectors.Collector`."""
        return cls(organization, clock=clock)

    async def collect(self, host: Host, budget: Budget, state: OrganizationState) -> Outcome:
        """See :class:`~exporter.refresh.RefreshedCollector`."""
        began = self._clock.monotonic()
        before = state.get(API_KEYS_STATE)
        with host.prioritized():
            listing = await list_keys(
                host,
                self._organization,
                budget,
                self._page_cache,
                previous_keys=before.keys,
            )
        existing = {**before.keys, **before.last_readable}
        last_readable = {each: existing[each] for each in listing.unreadable_ids & existing.keys()}
        same = listing.keys == before.keys and not before.last_readable
        changes, rules = _NO_CHURN, self._settings.rules
        if before.listing_count and not same:
            since = self._clock.wall() - (self._clock.monotonic() - before.listing_began)
            changes = await asyncio.to_thread(
                churn, existing, {**listing.keys, **last_readable}, since=since
            )
        after = replace(
            before,
            keys=before.keys if same else listing.keys,
            unreadable=listing.unreadable,
            last_readable=last_readable,
            vanished=len(changes.deleted) if before.listing_count else None,
            previous_total=len(existing),
            churn=ChurnTotals(
                created=count_by_kinds(changes.created, rules) + Counter(before.churn.created),
                deleted=count_by_kinds(changes.deleted, rules) + Counter(before.churn.deleted),
            ),
            listing_count=before.listing_count + 1,
            listing_began=began,
        )
        return Outcome(
            lambda state: state.with_slice(API_KEYS_STATE, after),
            on_published=lambda: _log_churn(changes),
        )

    def derive(self, state: OrganizationState, *, now: float) -> OrganizationState:
        """See :class:`~exporter.refresh.RefreshedCollector`."""
        before, directory = state.get(API_KEYS_STATE), state.get(DIRECTORY)
        usage = state.get(USAGE).current
        after = with_inventory(before, self._settings, directory, usage, now=now)
        return state if after is before else state.with_slice(API_KEYS_STATE, after)

    def render(self, state: OrganizationState, before: OrganizationState | None) -> Iterable[Part]:
        """See :class:`~exporter.exposition.rendering.Renderer`."""
        return render(state, before, self._organization)

    def summarize(self, state: OrganizationState) -> Summary:
        """See :class:`~exporter.collectors.Collector`."""
        return summarize(state, self._organization, clock=self._clock)


def _log_churn(changes: Churn) -> None:
    for event, keys in (
        ("api key created", changes.created),
        ("api key now visible", changes.revealed),
        ("api key deleted", changes.deleted),
    ):
        for key in keys[:_CHURN_LOGGED]:
            log.info(
                event,
                api_key_id=key.id,
                owner_id=key.owner.id,
                resource_id=",".join(resource.id for resource in key.resources),
            )
        if len(keys) > _CHURN_LOGGED:
            log.warning("further keys are not logged", about=event, keys=len(keys) - _CHURN_LOGGED)
