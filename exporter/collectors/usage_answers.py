"""Asks the Metrics API about Kafka clusters, for the collector of usage and for reports."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import structlog

from exporter.config.collector_sections import METRICS_API_MEMORY
from exporter.confluent import metrics_api
from exporter.errors import ApiError, BadRequest, Forbidden, NotFound, Unauthorized
from exporter.inventory.usage import Activity, Usage, batches, next_period, retain, with_answer
from exporter.refresh import Failure, failure_from

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from exporter.confluent.host import Host
    from exporter.confluent.request import Budget
    from exporter.inventory.usage import Period

log = structlog.get_logger(__name__)
AVAILABLE_AFTER = 180.0
"""Seconds until the API has the data."""
_LATE = 86_400.0
"""Seconds that are asked for again, because buckets may arrive late."""
_CLUSTERS_PER_QUERY = 40
_MAX_LOGGED = 5
"""Clusters that a line of the log names."""
_MAX_HALVINGS = 40
"""Rejected queries of one refresh that are sent again in halves."""
_TOO_MANY = f"an answer may lack some of its {metrics_api.MAX_GROUPS} or more principals"
_LACKING = "the answer lacks requests that are known from an earlier one"


@dataclass
class Answers:
    """What the answers told."""

    usage: Usage
    failure: Failure | None = None
    """The first one."""
    problems: dict[str, str] = field(default_factory=dict)
    """Why a cluster cannot be evaluated, by its id; without failed queries."""


async def ask(
    host: Host, budget: Budget, known: Usage, clusters: Collection[str], *, wall: float
) -> Answers:
    """Ask about ``clusters`` at the Unix time ``wall``; add the answers to what is ``known``.

    Each query fails alone. A rejected one is sent again in halves, since one deleted cluster, or
    one without the role, may be the cause.

    Raises :class:`~exporter.errors.ApiError` if all further queries would fail as well.
    """
    now = wall - AVAILABLE_AFTER
    # Also clusters whose keys are not listed now, perhaps because a role was lost. After a longer
    # time, what is known about them would begin again anyway.
    recent = [
        each for each, period in known.periods.items() if period.end >= now - METRICS_API_MEMORY
    ]
    answers = Answers(retain(known, {*clusters, *recent}))
    remembered = METRICS_API_MEMORY - AVAILABLE_AFTER  # before the end of what is asked for
    asked = {
        cluster: next_period(known.periods.get(cluster), now=now, memory=remembered, late=_LATE)
        for cluster in clusters
    }
    halvings = 0
    waiting = list(batches(asked, size=_CLUSTERS_PER_QUERY))
    while waiting:
        batch = waiting.pop(0)
        period = next(iter(batch.values()))
        try:
            found = await metrics_api.buckets(host, tuple(batch), *period, budget)
        except ApiError as error:
            if error.endpoint != metrics_api.QUERY or isinstance(error, Unauthorized):
                raise
            is_rejected = isinstance(error, BadRequest | Forbidden | NotFound)
            if is_rejected and len(batch) > 1 and halvings < _MAX_HALVINGS:
                halvings += 1
                waiting[:0] = _halves(batch)
            else:
                answers.failure = answers.failure or _failure(error, batch)
            continue
        if found is not None:
            _add(answers, batch, found)
        elif len(batch) > 1:
            waiting[:0] = _halves(batch)
        else:
            answers.problems[next(iter(batch))] = _TOO_MANY
    return answers


def log_problems(problems: Iterable[tuple[str, str]]) -> None:
    """Log clusters with the reasons why they cannot be evaluated, one line for each reason."""
    clusters: defaultdict[str, list[str]] = defaultdict(list)
    for cluster, problem in sorted(problems):
        clusters[problem].append(cluster)
    for problem, affected in clusters.items():
        log.warning(
            "the use of Kafka clusters cannot be evaluated",
            problem=problem,
            clusters=affected[:_MAX_LOGGED],
            number=len(affected),
        )


def _add(answers: Answers, batch: Mapping[str, Period], found: metrics_api.Found) -> None:
    for cluster, principal in found.unclear.items():
        answers.problems[cluster] = (
            f"the principal {principal!r} made requests, and may be any owner"
        )
    # The answer ends nothing that is known about an unclear cluster. It becomes too old.
    unclear = found.unclear.keys() & answers.usage.evaluated
    answers.usage = with_answer(
        answers.usage,
        {cluster: period for cluster, period in batch.items() if cluster not in unclear},
        [
            Activity(each.principal, each.cluster, each.start + metrics_api.BUCKET)
            for each in found.buckets
        ],
    )
    for cluster, period in batch.items():
        if cluster not in unclear and answers.usage.answered.get(cluster) != period.end:
            answers.problems[cluster] = _LACKING


def _failure(error: ApiError, batch: Mapping[str, Period]) -> Failure:
    failure = failure_from(error)
    first = next(iter(batch))
    more = f" and {len(batch) - 1} more" if len(batch) > 1 else ""
    return replace(failure, message=f"{failure.message} (for {first}{more})")


def _halves(batch: Mapping[str, Period]) -> Sequence[Mapping[str, Period]]:
    return batches(batch, size=-(-len(batch) // 2))
