"""How many keys there are over time, and how many come and go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from grafana.panels import GOOD, WARNING, Query, Spot, Text, bar_graph, graph
from grafana.queries import INTERVAL, ORGANIZATION, by, gauge, growth

if TYPE_CHECKING:
    from grafana.panels import AnyPanel


def panels() -> list[AnyPanel]:
    """Return the row."""
    created, deleted = (
        f"round(sum({growth(metric, INTERVAL)}))"
        for metric in (catalogue.CREATED, catalogue.DELETED)
    )
    keys = graph(
        Spot(101, x=0, y=0, w=12, h=8),
        Text(
            title="Keys by organization",
            about="API keys of each chosen organization, a key for several resources once. A gap"
            " is a time without listings; a sudden drop without deletions that anybody knows of"
            " may be a role that was taken away from the exporter.",
            unit="short",
            none="not reported",
        ),
        [
            Query(
                by(ORGANIZATION, gauge(catalogue.ORGANIZATION_API_KEYS), "sum"),
                "{{organization}}",
            )
        ],
    )
    churn = bar_graph(
        Spot(102, x=12, y=0, w=12, h=8),
        Text(
            title="Keys created and deleted",
            about="Keys that came and, below 0, went in the time of each bar, 5 minutes at least"
            " and about a hundredth of the time range, of the chosen organizations, kinds of owners"
            " and kinds of resources. A key for several kinds of resources counts for each.",
            unit="short",
            none="not reported",
            decimals=0,
        ),
        [Query(created, "created", GOOD), Query(f"-{deleted}", "deleted", WARNING)],
        interval="5m",
        least=None,
    ).max_data_points(100)
    return [keys, churn]
