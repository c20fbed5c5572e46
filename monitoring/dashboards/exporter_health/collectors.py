"""Which organization and which exporter it is that fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from monitoring.dashboards.panels import BAD, COUNT, GOOD, WARNING, Spot, Text
from monitoring.dashboards.queries import by, gauge, least, of_exporters, outside, selector
from monitoring.dashboards.shared import COLLECTOR, age, limit, never
from monitoring.dashboards.tables import ORGANIZATION_COLUMN, Column, grid, judged, unit

if TYPE_CHECKING:
    from monitoring.dashboards.panels import AnyPanel

_TARGET = ("job", "instance")


def panels() -> list[AnyPanel]:
    """Return the tables below the top."""
    return [
        _collectors(Spot(6, x=0, y=10, w=24, h=8)),
        _exporters(Spot(601, x=0, y=18, w=24, h=5)),
    ]


def _collectors(spot: Spot) -> AnyPanel:
    up = by(COLLECTOR, least(catalogue.UP), "min")
    gone = f"({age()} > {limit()} or {never()})"
    # 2 for one that succeeds, 1 for one that fails, 0 where what it found is gone.
    reasons = by((*COLLECTOR, "reason"), gauge(catalogue.REFRESH_FAILING))
    state = f"0 * {gone} or {up} + 1"
    return grid(
        spot,
        Text(
            title="Collectors",
            about="Each collector of the selected organizations: whether its latest refresh"
            " succeeded on all replicas and how long ago one succeeded, at what age its data"
            " disappears, how long the latest refresh took, and why it failed if it did on"
            " any replica. Names never become too old.",
            unit="s",
            none="not reported",
        ),
        {
            "A": state,
            "B": age(),
            "C": limit(),
            "D": by(COLLECTOR, gauge(catalogue.REFRESH_DURATION)),
            "E": f"topk by (organization, collector) (1, {reasons} > 0)",
        },
        [
            ORGANIZATION_COLUMN,
            Column("collector", "Collector"),
            Column(
                "Value #A",
                "State",
                settings=judged(
                    {"0": ("too old", BAD), "1": ("failing", WARNING), "2": ("succeeds", GOOD)}
                ),
            ),
            Column("reason", "Reason"),
            Column("Value #B", "Last success", settings=unit("s", 1, "never")),
            Column("Value #C", "Too old after", settings=unit("s", 1, "stays")),
            Column("Value #D", "Latest took", settings=unit("s", 1, "unknown")),
        ],
        hidden=("Time", "Value #E"),
        sort="State",
        descending=False,
    )


def _exporters(spot: Spot) -> AnyPanel:
    """Return which exporters run, which version, with which configuration."""
    build = by((*_TARGET, "version", "python_version"), selector(catalogue.BUILD_INFO))
    loaded = by(_TARGET, selector(catalogue.CONFIG_RELOAD_SUCCESSFUL))
    since = by(_TARGET, f"time() - {selector(catalogue.CONFIG_RELOAD_TIMESTAMP)}")
    started = by(_TARGET, f"time() - {of_exporters(outside('process_start_time_seconds'))}")
    return grid(
        spot,
        Text(
            title="Exporters",
            about="Each exporter of the selected jobs and instances: whether Prometheus can scrape"
            " it, its version, whether its latest attempt to load the configuration"
            " succeeded, when one last did, and how long it has been running. If a file is"
            " rejected, the exporter keeps using the previous configuration; its log names"
            " the problem.",
            unit=COUNT,
            none="no exporter",
        ),
        {
            "A": build,
            "B": loaded,
            "C": since,
            "D": started,
            "E": by(_TARGET, of_exporters(outside("up"))),
        },
        [
            Column("job", "Job"),
            Column("instance", "Instance"),
            Column(
                "Value #E",
                "State",
                settings=(
                    *unit("none", none="unknown"),
                    *judged({"0": ("down", BAD), "1": ("up", GOOD)}),
                ),
            ),
            Column("version", "Version"),
            Column("python_version", "Python"),
            Column(
                "Value #B",
                "Configuration",
                settings=(
                    *unit("none", none="unknown"),
                    *judged({"0": ("rejected", BAD), "1": ("in force", GOOD)}),
                ),
            ),
            Column("Value #C", "Loaded", settings=unit("s", 1, "unknown")),
            Column("Value #D", "Running for", settings=unit("s", 1, "unknown")),
        ],
        hidden=("Time", "Value #A"),
        sort="State",
        descending=False,
    )
