"""How near the quotas about keys are to their limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from grafana.panels import BAD, COUNT, DAYS, GOOD, WARNING, Query, Spot, Text, graph, setting
from grafana.queries import (
    ORGANIZATION,
    RANGE,
    by,
    once,
    owner_named,
    resource_named,
    selector,
)
from grafana.tables import GAUGE_CELL, MOST, ORGANIZATION_COLUMN, Column, colored, grid, unit

if TYPE_CHECKING:
    from grafana.panels import AnyPanel

_ROW = catalogue.QUOTA_LIMIT.labels
_FULLEST = 10
_WEEK = 7 * 86_400
_STEPS = ((0.8, WARNING), (0.95, BAD))


def share(moment: str = "") -> str:
    """Return how much of each quota is used, 0 to 1. ``moment``: such as ``@ end()``."""
    limit = once(f"{selector(catalogue.QUOTA_LIMIT, filters=ORGANIZATION)}{moment}")
    return f"{_used(f'{{}}{moment}')} / ({limit} > 0)"


def _used(call: str = "{}") -> str:
    """Return what the API says of the usage, else what was counted; ``call`` is done to each."""
    said, counted = (
        once(call.format(selector(metric, filters=ORGANIZATION)))
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
    trend = _used(f"deriv({{}}[{RANGE}])")
    expected = _used(f"predict_linear({{}}[{RANGE}], {_WEEK})")
    days = f"clamp_min({limit} - {_used()}, 0) / ({trend} > 0) / 86400 < 365"
    used = f"({by(_ROW, _used())} {here})"
    return grid(
        spot,
        Text(
            title="Fullest quotas",
            about="Quotas about API keys of the chosen organizations, the fullest first,"
            f" {MOST} at most. Where the API reports no usage, the exporter's own count stands."
            " What to expect follows the trend within the time range. Delete keys, spread them"
            " over more owners, or ask Confluent for a higher limit.",
            unit=COUNT,
            none="not reported",
        ),
        {
            "A": resource_named(owner_named(used)),
            "B": f"{by(_ROW, limit)} {here}",
            "C": rows,
            "D": f"{by(_ROW, f'clamp_min({expected}, 0)')} {here}",
            "E": f"{by(_ROW, days)} {here}",
        },
        [
            ORGANIZATION_COLUMN,
            Column("quota_id", "Quota"),
            Column("scope", "Scope", 130),
            Column("owner_name", "Owner"),
            Column("owner_id", "Owner id"),
            Column("resource_name", "Resource"),
            Column("resource_id", "Resource id"),
            Column("environment_id", "Environment id"),
            Column("Value #A", "Used", 80),
            Column("Value #B", "Limit", 80),
            Column(
                "Value #C",
                "Share",
                150,
                (
                    *unit("percentunit", 0),
                    setting("min", 0),
                    setting("max", 1),
                    *colored(GOOD, _STEPS, GAUGE_CELL),
                ),
            ),
            Column("Value #D", "In a week", 90, unit(COUNT, 0, "unknown")),
            Column("Value #E", "Full in", 120, unit(DAYS, 0, "not in a year")),
        ],
        sort="Share",
    )


def _over_time(spot: Spot) -> AnyPanel:
    fullest = f"topk({_FULLEST}, {by(_ROW, share(' @ end()'))})"
    return graph(
        spot,
        Text(
            title="Fullest quotas over time",
            about=f"The {_FULLEST} quotas of the chosen organizations that are fullest at the end"
            " of the time range, as shares of their limits. A quota that climbs steadily is best"
            " raised, or relieved of unused keys, before it is full.",
            unit="percentunit",
            none="not reported",
        ),
        [
            Query(
                f"{by(_ROW, share())} and on ({', '.join(_ROW)}) {fullest}",
                "{{organization}} {{quota_id}} {{owner_id}}{{resource_id}}",
            )
        ],
    )
