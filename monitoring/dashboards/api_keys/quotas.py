"""The usage of the API key quotas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from monitoring.dashboards.panels import (
    BAD,
    COUNT,
    DAYS,
    GOOD,
    WARNING,
    Position,
    Query,
    graph,
    legend_right,
    with_limits,
)
from monitoring.dashboards.queries import (
    ORGANIZATION,
    UNKNOWN,
    WEEK,
    by,
    in_every_row,
    max_of_replicas,
    owner_named,
    resource_named,
    selector,
)
from monitoring.dashboards.tables import (
    MOST,
    ORGANIZATION_COLUMN,
    OWNER_COLUMN,
    OWNER_ID_COLUMN,
    Column,
    grid,
)

if TYPE_CHECKING:
    from monitoring.dashboards.panels import AnyPanel

STEPS = ((0, GOOD), (0.8, WARNING), (0.95, BAD))
"""Shares of a limit and their colors, as in the alerts."""
_ROW = catalogue.QUOTA_LIMIT.labels
_FULLEST = 10
_AHEAD = 7 * 86_400
_YEAR = 365


def share(moment: str = "") -> str:
    """Return the used share of each quota, 0 to 1. ``moment``: a modifier such as ``@ end()``."""
    limit = max_of_replicas(f"{selector(catalogue.QUOTA_LIMIT, filters=ORGANIZATION)}{moment}")
    return f"{_used(moment)} / ({limit} > 0)"


def _used(moment: str = "") -> str:
    """Return the usage that the API reports, or else the exporter's own count."""
    reported, counted = (
        max_of_replicas(f"{selector(metric, filters=ORGANIZATION)}{moment}")
        for metric in (catalogue.QUOTA_USAGE, catalogue.QUOTA_COUNTED)
    )
    return f"({reported} or {counted})"


def panels() -> list[AnyPanel]:
    """Return the panels of the row."""
    return [
        _quotas(Position(401, x=0, y=0, w=24, h=9)),
        _over_time(Position(402, x=0, y=9, w=24, h=8)),
    ]


def _quotas(position: Position) -> AnyPanel:
    rows = f"topk({MOST}, {by(_ROW, share())})"
    in_rows = f"and on ({', '.join(_ROW)}) {rows}"
    limit = max_of_replicas(selector(catalogue.QUOTA_LIMIT, filters=ORGANIZATION))
    # Of all replicas together: a single one may have seen only a part of the week.
    past = f"{_used()}[{WEEK}:1h]"
    known = f"and {_used(' offset 1d')}"
    expected = f"clamp_min(predict_linear({past}, {_AHEAD}), 0) {known}"
    growth = f"clamp_min(deriv({past}), 1e-12) * 86400"  # per day; above 0, because it is a divisor
    days = f"clamp_max(clamp_min({limit} - {_used()}, 0) / ({growth}), {_YEAR}) {known}"
    used = f"({by(_ROW, _used())} {in_rows})"
    of = catalogue.QUOTA_LIMIT
    return grid(
        position,
        title="Fullest quotas",
        description=f"The {MOST} fullest API key quotas of the selected organizations. If the API"
        " reports no usage, the exporter's own count is shown. `In a week` and `Full in`"
        " extrapolate the trend of the last 7 days, regardless of the time range. Both need at"
        " least a day of data. Delete keys, spread them over more owners, or ask Confluent for a"
        " higher limit.",
        unit=COUNT,
        no_value="not reported",
        queries={
            "A": resource_named(owner_named(used, of), of),
            "B": f"{by(_ROW, limit)} {in_rows}",
            "C": rows,
            "D": in_every_row(by(_ROW, expected), rows, _ROW),
            "E": in_every_row(by(_ROW, days), rows, _ROW),
        },
        columns=[
            ORGANIZATION_COLUMN,
            Column("quota_id", "Quota", 250),
            OWNER_COLUMN,
            OWNER_ID_COLUMN,
            Column("resource_name", "Resource"),
            Column("resource_id", "Resource id", 95),
            Column("Value #A", "Used", 70),
            Column("Value #B", "Limit", 70),
            Column(
                "Value #C", "Share", 110, unit="percentunit", decimals=0, gauge=True, steps=STEPS
            ),
            Column(
                "Value #D", "In a week", 85, unit=COUNT, decimals=0, words={str(UNKNOWN): "unknown"}
            ),
            Column(
                "Value #E",
                "Full in",
                105,
                unit=DAYS,
                decimals=0,
                words={str(_YEAR): "over a year", str(UNKNOWN): "unknown"},
            ),
        ],
        # The id of the quota ends with its scope, and the resource is in one environment.
        hidden=("Time", "scope", "environment_id"),
        sort="Share",
    )


def _over_time(position: Position) -> AnyPanel:
    fullest = f"topk({_FULLEST}, {by(_ROW, share(' @ end()'))})"
    panel = graph(
        position,
        title="Fullest quotas over time",
        description=f"The {_FULLEST} quotas of the selected organizations that are fullest at the"
        " end of the time range, as shares of their limits. The dashed lines are the alert"
        " thresholds. If a quota rises steadily, delete unused keys or ask Confluent for a higher"
        " limit before it is full.",
        unit="percentunit",
        no_value="not reported",
        queries=[
            Query(
                f"{by(_ROW, share())} and on ({', '.join(_ROW)}) {fullest}",
                "{{organization}} {{quota_id}} {{owner_id}}{{resource_id}} {{environment_id}}",
            )
        ],
        reach=1,
    )
    return legend_right(with_limits(panel, *STEPS[1:]))
