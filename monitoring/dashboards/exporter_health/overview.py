"""The top of the health dashboard: current problems."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from monitoring.dashboards.exporter_health.api import failure_share, recent_share_left
from monitoring.dashboards.panels import BAD, COUNT, GOOD, WARNING, Position, Query, number
from monitoring.dashboards.queries import by, gauge, min_of_replicas, of_exporters, selector, series
from monitoring.dashboards.shared import (
    COLLECTOR,
    data_age,
    firing,
    never_succeeded,
    organizations_failing,
    since_success,
    stale_after,
)
from monitoring.dashboards.tables import ORGANIZATION_COLUMN, Column, grid

if TYPE_CHECKING:
    from monitoring.dashboards.panels import AnyPanel

_TARGET = ("job", "instance")


def panels() -> list[AnyPanel]:
    """Return the numbers, the alerts, and the tables of collectors and exporters."""
    return [
        organizations_failing(
            Position(2, x=0, y=0, w=5, h=4),
            description="Organizations whose latest refresh of keys, names or quotas failed on"
            " at least one replica. Until `stale_after` they show the data of the"
            " latest successful refresh. Then keys and quotas disappear. The"
            " Collectors table below names them.",
        ),
        data_age(Position(5, x=5, y=0, w=5, h=4)),
        number(
            Position(1, x=10, y=0, w=4, h=4),
            title="Exporters down",
            description="Exporters of the selected jobs and instances that Prometheus cannot"
            " scrape. An exporter counts if it was scraped within the last 7 days and is still a"
            " target. The Exporters table below names them. Check the targets page of Prometheus"
            " and the log of the exporter.",
            unit="none",
            no_value="no exporter",
            decimals=0,
            queries=[Query(f"sum({of_exporters(series('up'))} == bool 0)")],
            steps=((0, GOOD), (1, BAD)),
        ),
        number(
            Position(3, x=14, y=0, w=5, h=4),
            title="Rate limit left",
            description="Requests left in the API's rate limit window, as a share of the limit."
            " This is the lowest of the selected organizations and their endpoints that answered"
            " within `stale_after`. Orange below a quarter, red below a tenth: other clients such"
            " as Terraform may be throttled.",
            unit="percentunit",
            no_value="no rate limit reported",
            decimals=0,
            queries=[Query(f"min({recent_share_left()})")],
            steps=((0, BAD), (0.1, WARNING), (0.25, GOOD)),
        ),
        number(
            Position(4, x=19, y=0, w=5, h=4),
            title="Failed requests",
            description="Share of requests that failed in the last 30 minutes, for the worst of"
            " the selected organizations with at least 10 requests. Includes the requests of all"
            " selected exporters, and failures that were retried with success. Red from 20 %,"
            " like the alert. The API requests row shows the reasons.",
            unit="percentunit",
            no_value="too few requests",
            decimals=1,
            queries=[Query(f"max({failure_share()})")],
            steps=((0, GOOD), (0.05, WARNING), (0.2, BAD)),
        ),
        firing(Position(7, x=0, y=4, w=24, h=6)),
        _collectors(Position(6, x=0, y=10, w=24, h=8)),
        _exporters(Position(601, x=0, y=18, w=24, h=5)),
    ]


def _collectors(position: Position) -> AnyPanel:
    up = by(COLLECTOR, min_of_replicas(catalogue.UP), "min")
    gone = f"({since_success()} > {stale_after()} or {never_succeeded()})"
    # 2: succeeds; 1: fails; 0: its data is stale.
    reasons = by((*COLLECTOR, "reason"), gauge(catalogue.REFRESH_FAILING))
    state = f"0 * {gone} or {up} + 1"
    return grid(
        position,
        title="Collectors",
        description="The collectors of the selected organizations. State covers the latest"
        " refresh on all replicas. Names never become stale. If a refresh failed on any replica,"
        " Reason shows why.",
        unit="s",
        no_value="not reported",
        queries={
            "A": state,
            "B": since_success(),
            "C": stale_after(),
            "D": by(COLLECTOR, gauge(catalogue.REFRESH_DURATION)),
            "E": f"topk by (organization, collector) (1, {reasons} > 0)",
        },
        columns=[
            ORGANIZATION_COLUMN,
            Column("collector", "Collector"),
            Column(
                "Value #A",
                "State",
                states={"0": ("stale", BAD), "1": ("failing", WARNING), "2": ("succeeds", GOOD)},
            ),
            Column("reason", "Reason"),
            Column("Value #B", "Last success", unit="s", decimals=1, no_value="never"),
            Column("Value #C", "Stale after", unit="s", decimals=1, no_value="never"),
            Column("Value #D", "Latest duration", unit="s", decimals=1, no_value="unknown"),
        ],
        hidden=("Time", "Value #E"),
        sort="State",
        descending=False,
    )


def _exporters(position: Position) -> AnyPanel:
    """Return the state, version and configuration of each exporter."""
    build = by((*_TARGET, "version", "python_version"), selector(catalogue.BUILD_INFO))
    loaded = by(_TARGET, selector(catalogue.CONFIG_RELOAD_SUCCESSFUL))
    since = by(_TARGET, f"time() - {selector(catalogue.CONFIG_RELOAD_TIMESTAMP)}")
    web_loaded = by(_TARGET, selector(catalogue.WEB_CONFIG_RELOAD_SUCCESSFUL))
    shard = by(_TARGET, selector(catalogue.SHARD_ORDINAL))
    shards = by(_TARGET, selector(catalogue.TOTAL_SHARDS))
    started = by(_TARGET, f"time() - {of_exporters(series('process_start_time_seconds'))}")
    return grid(
        position,
        title="Exporters",
        description="The exporters of the selected jobs and instances. Configuration shows"
        " whether the latest attempt to load it succeeded, and Loaded when that last was the"
        " case. Web configuration shows the same for the file of --web.config.file. If a"
        " configuration is rejected, the exporter keeps using the previous one, and its log names"
        " the problem. Shard is the number of the exporter's shard, from 0. Shards is the number of"
        " shards, which is 1 if the organizations are not divided.",
        unit=COUNT,
        no_value="no exporter",
        queries={
            "A": build,
            "B": loaded,
            "C": since,
            "D": started,
            "E": by(_TARGET, of_exporters(series("up"))),
            "F": web_loaded,
            "G": shard,
            "H": shards,
        },
        columns=[
            Column("job", "Job"),
            Column("instance", "Instance"),
            Column(
                "Value #E",
                "State",
                90,
                unit="none",
                no_value="unknown",
                states={"0": ("down", BAD), "1": ("up", GOOD)},
            ),
            Column("version", "Version", 90),
            Column("python_version", "Python", 90),
            Column(
                "Value #B",
                "Configuration",
                125,
                unit="none",
                no_value="unknown",
                states={"0": ("rejected", BAD), "1": ("loaded", GOOD)},
            ),
            Column("Value #C", "Loaded", 110, unit="s", decimals=1, no_value="unknown"),
            Column(
                "Value #F",
                "Web configuration",
                150,
                unit="none",
                no_value="none",
                states={"0": ("rejected", BAD), "1": ("loaded", GOOD)},
            ),
            Column("Value #G", "Shard", unit="none", no_value="unknown"),
            Column("Value #H", "Shards", unit="none", no_value="unknown"),
            Column("Value #D", "Running for", 120, unit="s", decimals=1, no_value="unknown"),
        ],
        hidden=("Time", "Value #A"),
        sort="State",
        descending=False,
    )
