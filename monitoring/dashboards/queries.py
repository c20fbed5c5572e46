"""PromQL for the dashboards.

Every selector names the chosen jobs and instances, and every other variable that the metric has a
label for. Several replicas may watch one organization, so whatever they say alike is taken from one
of them with ``max without (instance, pod)`` before anything is added up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from exporter.exposition.text import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.exposition.catalogue import Metric

INTERVAL = "$__rate_interval"
RANGE = "$__range"
WEEK = "7d"
UNKNOWN = -1
"""Stands for a value that is not known, where no real value is negative."""
TARGET = 'job=~"$job", instance=~"$instance"'
_FILTERS = {
    "organization": 'organization=~"$organization"',
    "owner_kind": 'owner_kind=~"$owner_kind"',
    "resource_kind": 'resource_kind=~"$resource_kind"',
    "environment_id": 'environment_id=~"$environment"',
}
ALL_LABELS = tuple(_FILTERS)
ORGANIZATION = ("organization",)
OWNER = ("organization", "owner_id")
RESOURCE = ("organization", "resource_id", "environment_id")
ENVIRONMENT = ("organization", "environment_id")
OWNER_ROW = (*OWNER, "owner_kind")
RESOURCE_ROW = (*RESOURCE, "resource_kind")


def selector(
    metric: Metric, *matchers: str, suffix: str = "", filters: Sequence[str] = ALL_LABELS
) -> str:
    """Return the series of ``metric`` that the variables choose.

    ``filters``: the labels for which a variable chooses, where the metric has them.
    """
    chosen = [_FILTERS[label] for label in metric.labels if label in filters and label in _FILTERS]
    return f"{metric.name}{suffix}{{{', '.join((TARGET, *chosen, *matchers))}}}"


def once(expression: str) -> str:
    """Return ``expression`` as one of the replicas has it."""
    return f"max without (instance, pod) ({expression})"


def gauge(
    metric: Metric, *matchers: str, suffix: str = "", filters: Sequence[str] = ALL_LABELS
) -> str:
    """Return the values of ``metric`` as one of the replicas has them."""
    return once(selector(metric, *matchers, suffix=suffix, filters=filters))


def least(metric: Metric, *matchers: str) -> str:
    """Return the values of ``metric`` as the replica has them that has the least."""
    return f"min without (instance, pod) ({selector(metric, *matchers)})"


def growth(metric: Metric, window: str, *, filters: Sequence[str] = ALL_LABELS) -> str:
    """Return by how much a counter grew that every replica counts alike."""
    return once(f"increase({selector(metric, filters=filters)}[{window}])")


def rate(metric: Metric, *, suffix: str = "") -> str:
    """Return the rate of a counter to which every replica adds what it does itself."""
    return f"rate({selector(metric, suffix=suffix)}[{INTERVAL}])"


def by(labels: Sequence[str], expression: str, how: str = "max") -> str:
    """Return ``expression`` with these labels alone, such as a table shows them."""
    return f"{how} by ({', '.join(labels)}) ({expression})"


def named(expression: str, of: Metric, info: Metric, label: str, on: Sequence[str]) -> str:
    """Return ``expression``, whose series are some ``of`` a metric, with ``label`` of ``info``.

    Those that have no name come without it. Replicas that have listed the names at different times
    may differ; one of them is taken.
    """
    names = gauge(info, filters=ORGANIZATION)
    nameless = by(on, gauge(of, filters=ORGANIZATION), "group")
    joined = ", ".join(on)
    return (
        f"{expression} * on ({joined}) group_left ({label})"
        f" (topk by ({joined}) (1, {names}) or on ({joined}) {nameless})"
    )


def owner_named(expression: str, of: Metric) -> str:
    """Return ``expression``, some series ``of`` a metric, with the names of the owners."""
    return named(expression, of, catalogue.OWNER_INFO, "owner_name", OWNER)


def resource_named(expression: str, of: Metric) -> str:
    """Return ``expression``, some series ``of`` a metric, with the names of the resources."""
    return named(expression, of, catalogue.RESOURCE_INFO, "resource_name", RESOURCE)


def environment_named(expression: str, of: Metric) -> str:
    """Return ``expression``, some series ``of`` a metric, with the names of the environments."""
    return named(expression, of, catalogue.ENVIRONMENT_INFO, "environment_name", ENVIRONMENT)


def up_to(seconds: float) -> str:
    """Return the matcher for a bucket, however its bound is spelled.

    7776000 seconds are exposed as 7.776e+06, 86400 as 86400.0; Prometheus 2 keeps what older
    formats say.
    """
    spellings = dict.fromkeys((number(seconds), f"{seconds:.0f}", f"{seconds:.1f}"))
    alternatives = "|".join(spellings).replace(".", "[.]").replace("+", "[+]")
    return f'le=~"{alternatives}"'


def findings(policy: str) -> str:
    """Return the findings of ``policy`` in total; absent where no organization is judged by it.

    Where it is on but the chosen kind of owner has none, there is no series, and that is 0.
    """
    matcher = f'policy="{policy}"'
    return f"(sum({gauge(catalogue.VIOLATIONS, matcher)}) or 0 * sum({judged(matcher)}))"


def judged(*matchers: str) -> str:
    """Return findings, and 0 without an owner, of each organization that is judged."""
    return gauge(catalogue.VIOLATIONS, *matchers, filters=ORGANIZATION)


def or_none(expression: str) -> str:
    """Return ``expression``, or 0 where organizations were listed and there is nothing to add up.

    An organization without keys has no series about owners or ages.
    """
    return f"({expression} or 0 * sum({gauge(catalogue.ORGANIZATION_API_KEYS)}))"


def in_every_row(expression: str, rows: str, labels: Sequence[str]) -> str:
    """Return ``expression`` for each of ``rows``, all with these labels alone; else -1, unknown.

    A table has no column for a query that returns nothing.
    """
    joined = ", ".join(labels)
    return f"({expression}) and on ({joined}) {rows} or {UNKNOWN} * {by(labels, rows, 'group')}"


def of_exporters(expression: str) -> str:
    """Return what ``expression``, which any program may expose, says of exporters.

    One that is down exposes nothing, however short the time range is, so those of a week count.
    """
    known = f"last_over_time({selector(catalogue.BUILD_INFO)}[{WEEK}])"
    return f"({expression} and on (job, instance) {known})"


def outside(name: str) -> str:
    """Return the series of a metric that is not the exporter's own, such as ``up``."""
    return f"{name}{{{TARGET}}}"
