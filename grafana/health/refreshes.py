"""Whether the refreshes succeed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from grafana.panels import BAD, Query, Spot, Text, bar_graph, beside, graph, marked
from grafana.queries import INTERVAL, by, gauge, growth
from grafana.shared import age, limit

if TYPE_CHECKING:
    from grafana.panels import AnyPanel

_WHERE = "{{organization}} {{collector}}"


def panels() -> list[AnyPanel]:
    """Return the row."""
    ages = graph(
        Spot(301, x=0, y=0, w=12, h=8),
        Text(
            title="Time since success",
            about="Time since the latest successful refresh of the keys and the quotas of the"
            " chosen organizations, as a share of how old they may become before they are not"
            " shown any more: `stale_after`, the dashed line. It rises until the next refresh and"
            " falls to 0; a line that goes on rising is failing. Names stay, however old they are;"
            " Collectors above tells their age.",
            unit="percentunit",
            none="no success known",
        ),
        [Query(f"{age()} / {limit()}", _WHERE)],
    )
    duration = graph(
        Spot(302, x=12, y=0, w=12, h=8),
        Text(
            title="Refresh duration",
            about="How long the latest refresh of each collector of the chosen organizations took,"
            " successful or not. Near the refresh interval, the rate limit or the API is too slow"
            " for it: raise `refresh_interval`.",
            unit="s",
            none="not reported",
        ),
        [Query(gauge(catalogue.REFRESH_DURATION), _WHERE)],
    )
    reasons = by(
        ("organization", "collector", "reason"), growth(catalogue.REFRESH_FAILURES, INTERVAL)
    )
    return [
        beside(marked(ages, 1, BAD)),
        beside(duration),
        bar_graph(
            Spot(303, x=0, y=8, w=12, h=8),
            Text(
                title="Refresh failures by reason",
                about="Failed refreshes in each interval of at least 15 minutes, by organization,"
                " collector and reason, of the chosen organizations. The exporter's log says for"
                " each reason what to do.",
                unit="short",
                none="no failures",
                decimals=0,
            ),
            [Query(f"round({reasons}) > 0", f"{_WHERE} {{{{reason}}}}")],
            interval="15m",
        ),
        graph(
            Spot(304, x=12, y=8, w=12, h=8),
            Text(
                title="Vanished keys",
                about="Keys that the latest listing lacks of those before, as a share, by"
                " organization. A clean-up takes some. Most at once, without an error, is what it"
                " looks like when a role was taken away from the exporter: check it before"
                " believing the counts.",
                unit="percentunit",
                none="not two listings yet",
            ),
            [Query(gauge(catalogue.VANISHED_RATIO), "{{organization}}")],
        ).max(1),
    ]
