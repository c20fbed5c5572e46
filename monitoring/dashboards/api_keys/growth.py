"""How many keys there are over time, and how many come and go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from monitoring.dashboards.panels import (
    COUNT,
    NEUTRAL,
    WARNING,
    Query,
    Spot,
    Text,
    bar_graph,
    downward,
    graph,
)
from monitoring.dashboards.queries import INTERVAL, ORGANIZATION, by, gauge, growth

if TYPE_CHECKING:
    from monitoring.dashboards.panels import AnyPanel


def panels() -> list[AnyPanel]:
    """Return the row."""
    created, deleted = (
        f"round(sum({growth(metric, INTERVAL)}))"
        for metric in (catalogue.API_KEYS_CREATED, catalogue.API_KEYS_DELETED)
    )
    keys = graph(
        Spot(101, x=0, y=0, w=12, h=8),
        Text(
            title="Keys by organization",
            about="API keys of each selected organization. A key for several resources counts once."
            " The axis does not start at 0, so that small changes show. The legend's Difference is"
            " the change within the time range. A gap means that no listing was recent enough. A"
            " sudden drop that nobody can explain may mean that the exporter lost its role.",
            unit=COUNT,
            none="not reported",
            decimals=0,
        ),
        [
            Query(
                by(ORGANIZATION, gauge(catalogue.ORGANIZATION_API_KEYS), "sum"),
                "{{organization}}",
            )
        ],
        reach=None,
        calcs=("lastNotNull", "min", "max", "diff"),
    )
    churn = bar_graph(
        Spot(102, x=12, y=0, w=12, h=8),
        Text(
            title="Keys created and deleted",
            about="Keys created, and keys deleted below 0, of the selected organizations, owner"
            " kinds and resource kinds. Each bar covers about a hundredth of the time range and at"
            " least 5 minutes. A key for several kinds of resources counts once for each kind.",
            unit=COUNT,
            none="not reported",
            decimals=0,
        ),
        [Query(created, "created", NEUTRAL), Query(deleted, "deleted", WARNING)],
        interval="5m",
        reach=1,
        down=1,
    ).max_data_points(100)
    return [keys, downward(churn, "B")]
