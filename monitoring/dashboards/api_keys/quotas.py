"""How near the quotas about keys are to their limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from monitoring.dashboards.panels import (
    BAD,
    COUNT,
    DAYS,
    GOOD,
    WARNING,
    Query,
    Spot,
    Text,
    beside,
    graph,
    marked,
    setting,
)
from monitoring.dashboards.queries import (
    ORGANIZATION,
    UNKNOWN,
    WEEK,
    by,
    in_every_row,
    once,
    owner_named,
    resource_named,
    selector,
)
from monitoring.dashboards.tables import (
    GAUGE_CELL,
    MOST,
    ORGANIZATION_COLUMN,
    OWNER_ID_COLUMN,
    Column,
    colored,
    grid,
    mapped,
    unit,
)

if TYPE_CHECKING:
    from monitoring.dashboards.panels import AnyPanel

STEPS = ((0, GOOD), (0.8, WARNING), (0.95, BAD))
"""Shares of a limit, and their colours; as the alerts have them."""
_ROW = catalogue.QUOTA_LIMIT.labels
_FULLEST = 10
_AHEAD = 7 * 86_400
_YEAR = 365


def share(moment: str = "") -> str:
    """Return how much of each quota is used, 0 to 1. ``moment``: such as ``@ end()``."""
    limit = once(f"{selector(catalogue.QUOTA_LIMIT, filters=ORGANIZATION)}{moment}")
    return f"{_used(moment)} / ({limit} > 0)"


def _used(moment: str = "") -> str:
    """Return what the API says of the usage, else what was counted."""
    said, counted = (
        once(f"{selector(metric, filters=ORGANIZATION)}{moment}")
        for metric in (catalogue.QUOTA_USAGE, catalogue.QUOTA_COUNTED)
    )
    return f"({said} or {counted})"


def panels() -> list[AnyPanel]:
    """Return the row."""
    return [
        _quotas(Spot(401, x=0, y=0, w=24, h=9)),
        _over_time(Spot(402, x=0, y=9, w=24, h=8)),
    ]


def _quotas(spot: Spot) -> AnyPanel:
    rows = f"topk({MOST}, {by(_ROW, share())})"
    here = f"and on ({', '.join(_ROW)}) {rows}"
    limit = once(selector(catalogue.QUOTA_LIMIT, filters=ORGANIZATION))
    # Of all replicas together, and not of one which saw another part of the week.
    past = f"{_used()}[{WEEK}:1h]"
    known = f"and {_used(' offset 1d')}"
    expected = f"clamp_min(predict_linear({past}, {_AHEAD}), 0) {known}"
    growth = f"clamp_min(deriv({past}), 1e-12) * 86400"  # by day; not 0, to divide by
    days = f"clamp_max(clamp_min({limit} - {_used()}, 0) / ({growth}), {_YEAR}) {known}"
    used = f"({by(_ROW, _used())} {here})"
    of = catalogue.QUOTA_LIMIT
    return grid(
        spot,
        Text(
            title="Fullest quotas",
            about=f"The {MOST} fullest API key quotas of the selected organizations. Where the API"
            " reports no usage, the exporter's own count is shown. `In a week` and `Full in`"
            " extend the trend of the last 7 days, whatever the time range is. Both are unknown"
            " until a day of data exists. Delete keys, spread them over more owners, or ask"
            " Confluent for a higher limit.",
            unit=COUNT,
            none="not reported",
        ),
        {
            "A": resource_named(owner_named(used, of), of),
            "B": f"{by(_ROW, limit)} {here}",
            "C": rows,
            "D": in_every_row(by(_ROW, expected), rows, _ROW),
            "E": in_every_row(by(_ROW, days), rows, _ROW),
        },
        [
            ORGANIZATION_COLUMN,
            Column("quota_id", "Quota", 250),
            Column("owner_name", "Owner"),
            OWNER_ID_COLUMN,
            Column("resource_name", "Resource"),
            Column("resource_id", "Resource id", 95),
            Column("Value #A", "Used", 70),
            Column("Value #B", "Limit", 70),
            Column(
                "Value #C",
                "Share",
                110,
                (
                    *unit("percentunit", 0),
                    setting("min", 0),
                    setting("max", 1),
                    *colored(STEPS, GAUGE_CELL),
                ),
            ),
            Column(
                "Value #D", "In a week", 85, (*unit(COUNT, 0), mapped({str(UNKNOWN): "unknown"}))
            ),
            Column(
                "Value #E",
                "Full in",
                105,
                (
                    *unit(DAYS, 0),
                    mapped({str(_YEAR): "not in a year", str(UNKNOWN): "unknown"}),
                ),
            ),
        ],
        # The id of the quota ends with its scope, and the resource says where it is.
        hidden=("Time", "scope", "environment_id"),
        sort="Share",
    )


def _over_time(spot: Spot) -> AnyPanel:
    fullest = f"topk({_FULLEST}, {by(_ROW, share(' @ end()'))})"
    panel = graph(
        spot,
        Text(
            title="Fullest quotas over time",
            about=f"The {_FULLEST} quotas of the selected organizations that are fullest at the"
            " end of the time range, as shares of their limits. The dashed lines are where the"
            " alerts begin. If a quota climbs steadily, delete unused keys or have it raised"
            " before it is full.",
            unit="percentunit",
            none="not reported",
        ),
        [
            Query(
                f"{by(_ROW, share())} and on ({', '.join(_ROW)}) {fullest}",
                "{{organization}} {{quota_id}} {{owner_id}}{{resource_id}} {{environment_id}}",
            )
        ],
        reach=1,
    )
    return beside(marked(panel, *STEPS[1:]))
