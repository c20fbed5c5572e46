"""PromQL for the dashboards.

Every selector filters by the selected jobs and instances, and by every other variable that the
metric has a label for. Several replicas may monitor the same organization and report the same
values, so ``max without (instance, pod)`` removes the duplicates before values are summed.
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
"""Represents an unknown value in tables whose real values are never negative."""
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
    """Return the selector for the series of ``metric`` that the variables select.

    ``filters``: the labels to filter by, if the metric has them.
    """
    selected = [
        _FILTERS[label] for label in metric.labels if label in filters and label in _FILTERS
    ]
    return f"{metric.name}{suffix}{{{', '.join((TARGET, *selected, *matchers))}}}"


def max_of_replicas(expression: str) -> str:
    """Return ``expression`` without duplicates from replicas."""
    return f"max without (instance, pod) ({expression})"


def gauge(
    metric: Metric, *matchers: str, suffix: str = "", filters: Sequence[str] = ALL_LABELS
) -> str:
    """Return the values of ``metric`` without duplicates from replicas."""
    return max_of_replicas(selector(metric, *matchers, suffix=suffix, filters=filters))


def min_of_replicas(metric: Metric, *matchers: str) -> str:
    """Return the lowest value of ``metric`` among the replicas."""
    return f"min without (instance, pod) ({selector(metric, *matchers)})"


def increase(metric: Metric, window: str, *, filters: Sequence[str] = ALL_LABELS) -> str:
    """Return the increase of a counter that every replica counts in the same way."""
    return max_of_replicas(f"increase({selector(metric, filters=filters)}[{window}])")


def rate(metric: Metric, *, suffix: str = "") -> str:
    """Return the rate of a counter that each replica counts for itself."""
    return f"rate({selector(metric, suffix=suffix)}[{INTERVAL}])"


def by(labels: Sequence[str], expression: str, how: str = "max") -> str:
    """Return ``expression`` aggregated by ``labels``, with the function ``how``."""
    return f"{how} by ({', '.join(labels)}) ({expression})"


def named(expression: str, of: Metric, info: Metric, label: str, on: Sequence[str]) -> str:
    """Return ``expression``, a selection ``of`` a metric, with ``label`` joined from ``info``.

    Series without a name are kept. If replicas report different names, one of them is used.
    """
    names = gauge(info, filters=ORGANIZATION)
    nameless = by(on, gauge(of, filters=ORGANIZATION), "group")
    joined = ", ".join(on)
    return (
        f"{expression} * on ({joined}) group_left ({label})"
        f" (topk by ({joined}) (1, {names}) or on ({joined}) {nameless})"
    )


def owner_named(expression: str, of: Metric) -> str:
    """Return ``expression``, a selection ``of`` a metric, with the names of the owners."""
    return named(expression, of, catalogue.OWNER_INFO, "owner_name", OWNER)


def owner_and_team_named(expression: str, of: Metric) -> str:
    """Return ``expression``, a selection ``of`` a metric, with names and teams of the owners."""
    return named(owner_named(expression, of), of, catalogue.OWNER_TEAM_INFO, "team", OWNER)


def resource_named(expression: str, of: Metric) -> str:
    """Return ``expression``, a selection ``of`` a metric, with the names of the resources."""
    return named(expression, of, catalogue.RESOURCE_INFO, "resource_name", RESOURCE)


def environment_named(expression: str, of: Metric) -> str:
    """Return ``expression``, a selection ``of`` a metric, with the names of the environments."""
    return named(expression, of, catalogue.ENVIRONMENT_INFO, "environment_name", ENVIRONMENT)


def bucket(seconds: float) -> str:
    """Return the matcher for the bucket with this upper bound, in any spelling.

    The exporter writes 7.776e+06 for 7776000 seconds and 86400.0 for 86400. Prometheus 2 keeps the
    spelling of the format that it scraped.
    """
    spellings = dict.fromkeys((number(seconds), f"{seconds:.0f}", f"{seconds:.1f}"))
    alternatives = "|".join(spellings).replace(".", "[.]").replace("+", "[+]")
    return f'le=~"{alternatives}"'


def findings(policy: str) -> str:
    """Return the total findings of ``policy``. Absent if the policy is off everywhere.

    0 if the policy is on but the selected owner kinds have no findings, and so no series.
    """
    matcher = f'policy="{policy}"'
    return f"(sum({gauge(catalogue.VIOLATIONS, matcher)}) or 0 * sum({all_findings(matcher)}))"


def all_findings(*matchers: str) -> str:
    """Return all findings. Every organization with a policy has at least one series, even at 0."""
    return gauge(catalogue.VIOLATIONS, *matchers, filters=ORGANIZATION)


def or_zero(expression: str) -> str:
    """Return ``expression``, or 0 if organizations were listed but have no matching series.

    An organization without keys has no series for owners or ages.
    """
    return f"({expression} or 0 * sum({gauge(catalogue.ORGANIZATION_API_KEYS)}))"


def in_every_row(expression: str, rows: str, labels: Sequence[str]) -> str:
    """Return ``expression`` for each of ``rows``, or :data:`UNKNOWN` for rows without a value.

    All have exactly these labels. Without the fallback, a query without results would remove its
    column from the table.
    """
    joined = ", ".join(labels)
    return f"({expression}) and on ({joined}) {rows} or {UNKNOWN} * {by(labels, rows, 'group')}"


def of_exporters(expression: str) -> str:
    """Return ``expression``, whose metrics any program may expose, for exporters only.

    Targets count as exporters if they were one in the last week, because an exporter that is down
    exposes nothing.
    """
    known = f"last_over_time({selector(catalogue.BUILD_INFO)}[{WEEK}])"
    return f"({expression} and on (job, instance) {known})"


def series(name: str) -> str:
    """Return the selector for a metric that is not in the catalogue, such as ``up``."""
    return f"{name}{{{TARGET}}}"
