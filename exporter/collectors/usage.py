"""The collector of usage: which owners made requests to which Kafka clusters."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from exporter.collectors.api_keys.state import API_KEYS_STATE
from exporter.collectors.usage_file import UsageFile
from exporter.collectors.usage_state import USAGE
from exporter.confluent import metrics_api
from exporter.confluent.reading import FileReader
from exporter.errors import (
    ApiError,
    BadRequest,
    Forbidden,
    NotFound,
    RequestTimeout,
    Unauthorized,
)
from exporter.exposition import catalogue, part
from exporter.inventory.usage import (
    Activity,
    Usage,
    batches,
    kafka_clusters,
    merged,
    next_period,
    retain,
    with_answer,
    without_future,
)
from exporter.refresh import Failure, Outcome, failure_from
from exporter.summary import Fact, Summary, duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Self

    from exporter.clock import Clock
    from exporter.config import Organization
    from exporter.confluent.host import Host
    from exporter.confluent.request import Budget
    from exporter.exposition import Part
    from exporter.exposition.catalogue import Metric
    from exporter.inventory import Key
    from exporter.inventory.usage import Period
    from exporter.refresh import OrganizationState

MEMORY = 7 * 86_400.0
"""Seconds for which the Metrics API answers."""
_AVAILABLE_AFTER = 180.0
"""Seconds until the API has the data."""
_LATE = 3 * 3600.0
"""Seconds that are asked for again, because buckets may arrive late."""
_CLUSTERS_PER_QUERY = 40
_MAX_HALVINGS = 40
"""Rejected queries of one refresh that are sent again in halves."""
_SHARED = (Unauthorized, Forbidden)
"""Failures that further queries would share."""


class UsageCollector:
    """Asks the Metrics API which principals made requests to the Kafka clusters of the keys.

    Each query covers some clusters and fails alone. What is known about a cluster ends with the
    latest complete answer.
    """

    name = USAGE.collector
    low_priority = True
    host_name = "metrics"
    endpoints = (metrics_api.DESCRIPTORS, metrics_api.QUERY)
    metrics: ClassVar[Sequence[Metric]] = (
        catalogue.OWNER_LAST_ACTIVE,
        catalogue.USAGE_WINDOW_START,
        catalogue.USAGE_UNJUDGED,
    )

    def __init__(self, organization: Organization, *, clock: Clock) -> None:
        self._clock = clock
        path = organization.usage.state_file
        self._file = None if path is None else UsageFile(path, organization.name)
        self._reader = FileReader(self._file.read if self._file else Usage, clock=clock)
        self._current_of: tuple[Usage, frozenset[str], Usage] = Usage(), frozenset(), Usage()
        """What is known, the clusters with a recent answer, and what is known about those."""
        self._clusters_of: tuple[Mapping[str, Key], frozenset[str]] = {}, frozenset()
        self._has_read = False
        """Whether the state holds what the file held."""
        self._checked = False
        """Whether the API is known to count by principal."""
        self.interval = organization.usage.refresh_interval
        self.stale_after = 3 * self.interval

    @classmethod
    def create(cls, organization: Organization, *, clock: Clock) -> Self | None:
        """See :class:`~exporter.collectors.Collector`."""
        return cls(organization, clock=clock) if organization.usage.enabled else None

    async def collect(self, host: Host, budget: Budget, state: OrganizationState) -> Outcome:
        """See :class:`~exporter.refresh.RefreshedCollector`."""
        if not self._checked:
            await metrics_api.check_descriptors(host, budget)
            self._checked = True
        clusters = self._clusters(state)
        known = state.get(USAGE).known
        if self._file is not None and not self._has_read:
            # After a reload, the file may be another one, which can reach further back.
            try:
                stored = await self._reader.read(deadline=budget.deadline)
            except TimeoutError:
                return Outcome(lambda state: state, failure=_unread(budget))
            known = merged(known, stored)
        now = self._clock.wall() - _AVAILABLE_AFTER
        # Also clusters whose keys are not listed now, perhaps because a role was lost. After a
        # longer time, what is known about them would begin again anyway.
        recent = [each for each, period in known.periods.items() if period.end >= now - MEMORY]
        before = without_future(retain(known, clusters.union(recent)), now=now)
        asked = asked_periods(before, clusters, wall=self._clock.wall())
        after, failure = await fetch_usage(host, budget, before, asked)
        self._has_read = True
        return Outcome(
            lambda state: state.with_slice(USAGE, replace(state.get(USAGE), known=after)),
            failure=failure,
            on_published=lambda: self._file.write(after) if self._file else None,
        )

    def _clusters(self, state: OrganizationState) -> frozenset[str]:
        """Return the Kafka clusters of the keys, computed again only if the keys have changed."""
        keys = state.get(API_KEYS_STATE).keys
        if self._clusters_of[0] is not keys:
            self._clusters_of = keys, kafka_clusters(keys.values())
        return self._clusters_of[1]

    def derive(self, state: OrganizationState, *, now: float) -> OrganizationState:
        """See :class:`~exporter.refresh.RefreshedCollector`."""
        mine, clusters = state.get(USAGE), self._clusters(state)
        oldest = now - _AVAILABLE_AFTER - self.stale_after
        answered = mine.known.answered
        recent = frozenset(each for each in clusters if answered.get(each, -math.inf) >= oldest)
        # Called after every change of the state, and both comparisons take long with many owners.
        if self._current_of[0] is not mine.known or self._current_of[1] != recent:
            self._current_of = mine.known, recent, retain(mine.known, recent)
        current = self._current_of[2]
        if current is mine.current:
            return state
        if current == mine.current:
            self._current_of = mine.known, recent, mine.current
            return state
        return state.with_slice(USAGE, replace(mine, current=current))

    def render(self, state: OrganizationState, before: OrganizationState | None) -> Iterable[Part]:
        """See :class:`~exporter.exposition.rendering.Renderer`."""
        del before
        mine, keys = state.get(USAGE), state.get(API_KEYS_STATE).keys.values()
        if not mine.known.periods and state.refreshes[self.name].succeeded is None:
            return
        owners = {key.owner.id: key.owner.kind for key in keys}
        name = state.name
        clusters = self._clusters(state)
        start = mine.current.window_start
        yield part(
            [
                (
                    catalogue.OWNER_LAST_ACTIVE,
                    [
                        ((name, owner_id, owners[owner_id], cluster), end)
                        for (owner_id, cluster), end in sorted(mine.known.last_active.items())
                        if owner_id in owners
                    ],
                ),
                (catalogue.USAGE_WINDOW_START, [] if start is None else [((name,), start)]),
                (
                    catalogue.USAGE_UNJUDGED,
                    [((name,), len(clusters - mine.current.evaluated))],
                ),
            ]
        )

    def summarize(self, state: OrganizationState) -> Summary:
        """See :class:`~exporter.collectors.Collector`."""
        mine = state.get(USAGE)
        start = mine.current.window_start
        if start is None:
            return Summary([Fact("Activity", "not known yet")])
        clusters = self._clusters(state)
        silent = len(clusters - mine.current.evaluated)
        return Summary(
            [
                Fact(
                    "Activity known for",
                    duration(max(0.0, self._clock.wall() - start)),
                    note=f"{silent} Kafka clusters do not tell of owners" if silent else "",
                )
            ]
        )


def _unread(budget: Budget) -> Failure:
    return Failure(
        RequestTimeout.reason,
        f"the usage state file could not be read within the {budget.limit_name}. Check the file"
        " system that it is on",
        None,
    )


def asked_periods(usage: Usage, clusters: Iterable[str], *, wall: float) -> Mapping[str, Period]:
    """Return what to ask for at the Unix time ``wall``: a period by cluster."""
    now = wall - _AVAILABLE_AFTER
    return {
        cluster: next_period(usage.periods.get(cluster), now=now, memory=MEMORY, late=_LATE)
        for cluster in clusters
    }


async def fetch_usage(
    host: Host, budget: Budget, usage: Usage, asked: Mapping[str, Period]
) -> tuple[Usage, Failure | None]:
    """Return ``usage`` with all complete answers, and the first failure.

    A rejected query is sent again in halves, since one deleted cluster may be the cause.
    """
    failure: Failure | None = None
    halvings = 0
    waiting = list(batches(asked, size=_CLUSTERS_PER_QUERY))
    while waiting:
        batch = waiting.pop(0)
        period = next(iter(batch.values()))
        try:
            found, is_complete = await metrics_api.buckets(host, tuple(batch), *period, budget)
        except ApiError as error:
            if error.endpoint != metrics_api.QUERY or isinstance(error, _SHARED):
                raise
            if (
                isinstance(error, BadRequest | NotFound)
                and len(batch) > 1
                and halvings < _MAX_HALVINGS
            ):
                halvings += 1
                waiting[:0] = _halves(batch)
            else:
                failure = failure or failure_from(error)
            continue
        if not is_complete:
            waiting[:0] = _halves(batch) if len(batch) > 1 else ()
            continue
        usage = with_answer(
            usage,
            batch,
            [
                Activity(each.principal, each.cluster, each.start + metrics_api.BUCKET)
                for each in found
            ],
        )
    return usage, failure


def _halves(batch: Mapping[str, Period]) -> Sequence[Mapping[str, Period]]:
    return batches(batch, size=-(-len(batch) // 2))
