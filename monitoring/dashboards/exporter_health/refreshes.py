"""Whether the refreshes succeed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from monitoring.dashboards.panels import (
    BAD,
    COUNT,
    WARNING,
    Query,
    Spot,
    Text,
    bar_graph,
    beside,
    by_reason,
    failures,
    graph,
    marked,
)
from monitoring.dashboards.queries import INTERVAL, by, gauge, growth
from monitoring.dashboards.shared import age, limit

if TYPE_CHECKING:
    from monitoring.dashboards.panels import AnyPanel

_WHERE = "{{organization}} {{collector}}"


def panels() -> list[AnyPanel]:
    """Return the row."""
    ages = graph(
        Spot(301, x=0, y=0, w=12, h=8),
        Text(
            title="Time since success",
            about="Time since the latest successful refresh of keys and quotas, as a share of"
            " `stale_after`, for the selected organizations. A line falls to 0 with each refresh;"
            " one that keeps rising is failing. At the dashed line the data becomes too old and"
            " disappears. Names never become too old; Collectors above shows their age.",
            unit="percentunit",
            none="no success known",
        ),
        [Query(f"{age()} / {limit()}", _WHERE)],
        reach=1,
    )
    duration = graph(
        Spot(302, x=12, y=0, w=12, h=8),
        Text(
            title="Refresh duration",
            about="Duration of the latest refresh of each collector of the selected organizations,"
            " successful or not. If it approaches the refresh interval, the rate limit or the"
            " API is too slow for that interval: raise `refresh_interval`.",
            unit="s",
            none="not reported",
        ),
        [Query(gauge(catalogue.REFRESH_DURATION), _WHERE)],
        reach=1,
    )
    return [beside(marked(ages, (1, BAD))), beside(duration), _failures(), _vanished()]


def _failures() -> AnyPanel:
    reasons = by(
        ("organization", "collector", "reason"), growth(catalogue.REFRESH_FAILURES, INTERVAL)
    )
    panel = bar_graph(
        Spot(303, x=0, y=8, w=12, h=8),
        Text(
            title="Refresh failures by reason",
            about="Failed refreshes of the selected organizations by collector and reason. Each bar"
            " covers at least 15 minutes. Purple: the credentials or their role. Orange: the rate"
            " limit. Yellow: the network. Red: any other reason. The exporter's log says what to"
            " do.",
            unit=COUNT,
            none="no failures",
            decimals=0,
        ),
        [Query(f"round({reasons}) > 0", f"{_WHERE} {{{{reason}}}}")],
        interval="15m",
        reach=1,
    )
    return by_reason(panel)


def _vanished() -> AnyPanel:
    panel = graph(
        Spot(304, x=12, y=8, w=12, h=8),
        Text(
            title="Vanished keys",
            about="Share of each organization's keys that disappeared between the two latest"
            " listings. A clean-up removes some. If most disappear at once without an error, the"
            " exporter may have lost its role: check that before you trust the counts.",
            unit="percentunit",
            none="fewer than two listings",
        ),
        [Query(gauge(catalogue.VANISHED_RATIO), "{{organization}}")],
        reach=0.1,
    )
    return failures(panel, color=WARNING)
