"""The success, duration and failures of the refreshes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from monitoring.dashboards.panels import (
    BAD,
    COUNT,
    WARNING,
    Position,
    Query,
    bar_graph,
    colored_by_reason,
    graph,
    legend_right,
    shaded,
    with_limits,
)
from monitoring.dashboards.queries import (
    INTERVAL,
    ORGANIZATION,
    by,
    gauge,
    increase,
    min_of_replicas,
)
from monitoring.dashboards.shared import since_success, stale_after

if TYPE_CHECKING:
    from monitoring.dashboards.panels import AnyPanel

_WHERE = "{{organization}} {{collector}}"


def panels() -> list[AnyPanel]:
    """Return the panels of the row."""
    ages = graph(
        Position(301, x=0, y=0, w=12, h=8),
        title="Time since success",
        description="Time since the latest successful refresh of keys and quotas, as a share of"
        " `stale_after`, for the selected organizations. A line falls to 0 with each successful"
        " refresh; a line that keeps rising is failing. At the dashed line the data becomes stale"
        " and disappears. Names never become stale; Collectors above shows their age.",
        unit="percentunit",
        no_value="no success known",
        queries=[Query(f"{since_success()} / {stale_after()}", _WHERE)],
        reach=1,
    )
    duration = graph(
        Position(302, x=12, y=0, w=12, h=8),
        title="Refresh duration",
        description="Duration of the latest refresh of each collector of the selected"
        " organizations, successful or not. If it approaches the refresh interval, raise"
        " `refresh_interval`: the API or the rate limit is too slow for it.",
        unit="s",
        no_value="not reported",
        queries=[Query(gauge(catalogue.REFRESH_DURATION), _WHERE)],
        reach=1,
    )
    return [
        legend_right(with_limits(ages, (1, BAD))),
        legend_right(duration),
        _failures(),
        _vanished(),
        _token(),
    ]


def _failures() -> AnyPanel:
    reasons = by(
        ("organization", "collector", "reason"), increase(catalogue.REFRESH_FAILURES, INTERVAL)
    )
    panel = bar_graph(
        Position(303, x=0, y=8, w=8, h=8),
        title="Refresh failures by reason",
        description="Failed refreshes of the selected organizations, by collector and reason."
        " Each bar covers at least 15 minutes. Purple: the credentials or their role. Orange: the"
        " rate limit. Yellow: the network. Red: any other reason. The log of the exporter says"
        " what to do.",
        unit=COUNT,
        no_value="no failures",
        decimals=0,
        queries=[Query(f"round({reasons}) > 0", f"{_WHERE} {{{{reason}}}}")],
        interval="15m",
        reach=1,
    )
    return colored_by_reason(panel)


def _vanished() -> AnyPanel:
    panel = graph(
        Position(304, x=8, y=8, w=8, h=8),
        title="Vanished keys",
        description="Share of each organization's keys that disappeared between the two latest"
        " listings. A clean-up removes some. If most disappear at once without an error, the"
        " exporter may have lost its role: check that before you trust the counts.",
        unit="percentunit",
        no_value="fewer than two listings",
        queries=[Query(gauge(catalogue.VANISHED_RATIO), "{{organization}}")],
        reach=0.1,
    )
    return shaded(panel, color=WARNING)


def _token() -> AnyPanel:
    left = f"{min_of_replicas(catalogue.TOKEN_EXPIRY)} - time()"
    return graph(
        Position(305, x=16, y=8, w=8, h=8),
        title="Time until the token expires",
        description="Time until the latest token of each organization's identity pool expires, on"
        " the replica where it expires first. 0 means that it has expired, which is normal between"
        " two refreshes: tokens are only fetched for requests. If refreshes fail as well,"
        " Collectors above shows the reason.",
        unit="s",
        no_value="no identity pool",
        queries=[Query(by(ORGANIZATION, f"clamp_min({left}, 0)", "min"), "{{organization}}")],
        reach=1,
        calcs=("lastNotNull", "min"),
    )
