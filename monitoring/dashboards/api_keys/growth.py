"""The number of keys over time, and how many were created and deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from monitoring.dashboards.panels import (
    COUNT,
    NEUTRAL,
    WARNING,
    Position,
    Query,
    bar_graph,
    below_zero,
    graph,
)
from monitoring.dashboards.queries import INTERVAL, ORGANIZATION, by, gauge, increase

if TYPE_CHECKING:
    from monitoring.dashboards.panels import AnyPanel


def panels() -> list[AnyPanel]:
    """Return the panels of the row."""
    created, deleted = (
        f"round(sum({increase(metric, INTERVAL)}))"
        for metric in (catalogue.API_KEYS_CREATED, catalogue.API_KEYS_DELETED)
    )
    keys = graph(
        Position(101, x=0, y=0, w=12, h=8),
        title="Keys by organization",
        description="API keys of each selected organization. A key for several resources counts"
        " once. The axis does not start at 0, so that small changes are visible. Difference in"
        " the legend is the change over the time range. In a gap, no listing was recent enough. A"
        " sudden drop without an explanation may mean that the exporter lost its role.",
        unit=COUNT,
        no_value="not reported",
        decimals=0,
        queries=[
            Query(
                by(ORGANIZATION, gauge(catalogue.ORGANIZATION_API_KEYS), "sum"), "{{organization}}"
            )
        ],
        reach=None,
        calcs=("lastNotNull", "min", "max", "diff"),
    )
    churn = bar_graph(
        Position(102, x=12, y=0, w=12, h=8),
        title="Keys created and deleted",
        description="Keys created (above 0) and deleted (below 0) in the selected organizations,"
        " owner kinds and resource kinds. Each bar covers about a hundredth of the time range,"
        " and at least 5 minutes. A key for several resource kinds counts once for each kind.",
        unit=COUNT,
        no_value="not reported",
        decimals=0,
        queries=[Query(created, "created", NEUTRAL), Query(deleted, "deleted", WARNING)],
        interval="5m",
        reach=1,
        down=1,
    ).max_data_points(100)
    return [keys, below_zero(churn, "B")]
