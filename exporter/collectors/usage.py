"""The collector of usage: which owners made requests to which Kafka clusters."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from exporter.collectors.api_keys.state import API_KEYS_STATE
from exporter.collectors.usage_answers import AVAILABLE_AFTER, ask, log_problems
from exporter.collectors.usage_file import UsageStore
from exporter.collectors.usage_state import USAGE
from exporter.confluent import metrics_api
from exporter.exposition import catalogue, part
from exporter.inventory.usage import Usage, kafka_clusters, merged, retain
from exporter.refresh import Outcome
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
    from exporter.refresh import OrganizationState


class UsageCollector:
    """Asks the Metrics API which principals made requests to the Kafka clusters of the keys.

    What is known about a cluster ends with the newest hour in which it told of anybody.
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
        self._store = UsageStore.create(organization, clock=clock)
        self._current_of: tuple[Usage, frozenset[str], Usage] = Usage(), frozenset(), Usage()
        """What is known, the clusters with a recent answer, and what is known about those."""
        self._clusters_of: tuple[Mapping[str, Key], frozenset[str]] = {}, frozenset()
        self._has_read = False
        """Whether the state holds what the file held."""
        self._checked = False
        """Whether the API is known to count by principal."""
        self._problems: Mapping[str, str] = {}
        """Why clusters could not be evaluated, by their ids."""
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
        if self._store is not None and not self._has_read:
            # After a reload, the file may be another one, which can reach further back.
            stored, failure = await self._store.read(deadline=budget.deadline)
            if failure is not None:
                return Outcome(lambda state: state, failure=failure)
            known = merged(known, stored)
        answers = await ask(host, budget, known, clusters, wall=self._clock.wall())
        self._has_read = True
        self._log(answers.problems)
        if self._store is not None:
            await self._store.write(answers.usage)
        return Outcome(
            lambda state: state.with_slice(USAGE, replace(state.get(USAGE), known=answers.usage)),
            failure=answers.failure,
        )

    def _log(self, problems: Mapping[str, str]) -> None:
        """Log each problem once, until it changes or ends."""
        log_problems(problems.items() - self._problems.items())
        self._problems = problems

    def _clusters(self, state: OrganizationState) -> frozenset[str]:
        """Return the Kafka clusters of the keys, computed again only if the keys have changed."""
        keys = state.get(API_KEYS_STATE).keys
        if self._clusters_of[0] is not keys:
            self._clusters_of = keys, kafka_clusters(keys.values())
        return self._clusters_of[1]

    def derive(self, state: OrganizationState, *, now: float) -> OrganizationState:
        """See :class:`~exporter.refresh.RefreshedCollector`."""
        mine, clusters = state.get(USAGE), self._clusters(state)
        oldest = now - AVAILABLE_AFTER - self.stale_after
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
        start, clusters = mine.current.window_start, self._clusters(state)
        left_out = len(clusters - mine.current.evaluated)
        has_asked = state.refreshes[self.name].finished is not None
        return Summary(
            [
                Fact(
                    "Activity",
                    "not known yet"
                    if start is None
                    else f"known for {duration(max(0.0, self._clock.wall() - start))}",
                    note=f"not evaluated: {left_out} of {len(clusters)} Kafka clusters"
                    if has_asked and left_out
                    else "",
                )
            ]
        )
