"""Panels that both dashboards share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from monitoring.dashboards.panels import BAD, COUNT, GOOD, NEUTRAL, WARNING, Query, number
from monitoring.dashboards.queries import by, gauge, min_of_replicas
from monitoring.dashboards.sdk import model
from monitoring.dashboards.tables import Column, grid

if TYPE_CHECKING:
    from monitoring.dashboards.panels import Position
    from monitoring.dashboards.sdk import stat, table

COLLECTOR = ("organization", "collector")
_KEYS = 'collector="api_keys"'
_NEVER = -1
"""Represents the age of data that was never listed."""
_ALERT_ROW = ("alertname", "organization")
# Not every alert has these labels: an alert on an exporter has no organization.
_SELECTED = (
    'job=~"$job|", instance=~"$instance|", organization=~"$organization|",'
    ' alertname=~"ConfluentApiKeys.+"'
)
_SEVERITIES = {"info": NEUTRAL, "warning": WARNING, "critical": BAD}
_RANKS = {"other": "text", **_SEVERITIES}


def since_success(*matchers: str) -> str:
    """Return the seconds since the latest success of each collector."""
    return by(COLLECTOR, f"time() - {gauge(catalogue.LAST_SUCCESS, *matchers)}")


def stale_after(*matchers: str) -> str:
    """Return the age in seconds at which the data of each collector becomes stale."""
    return by(COLLECTOR, gauge(catalogue.STALE_AFTER, *matchers))


def failing(*matchers: str) -> str:
    """Return the collectors whose latest refresh failed on at least one replica."""
    return f"{by(COLLECTOR, min_of_replicas(catalogue.UP, *matchers), 'min')} == 0"


def never_succeeded(*matchers: str) -> str:
    """Return the failing collectors that have never succeeded since the exporters started."""
    return f"({stale_after(*matchers)} unless {since_success(*matchers)} and {failing(*matchers)})"


def data_age(position: Position) -> stat.Panel:
    """Return the age of the oldest key data among the organizations."""
    old = f"{since_success(_KEYS)} > {stale_after(_KEYS)}"
    gone = f"max({old}) or {_NEVER} * group({never_succeeded(_KEYS)})"
    failed = f"max({since_success(_KEYS)} and {failing(_KEYS)})"
    panel = number(
        position,
        title="Data age",
        description="Time since the keys were last listed completely, for the selected"
        " organization with the oldest data. Red: the data is older than `stale_after`, or no"
        " listing has succeeded since the exporter started, so the organization has no data."
        " Orange: the latest refresh failed on at least one replica. Green: all refreshes"
        " succeed. The health dashboard shows the organization and the reason.",
        unit="s",
        no_value="unknown",
        decimals=0,
        queries=[
            Query(gone, color=BAD),
            Query(f"{failed} unless on () ({gone})", color=WARNING),
            Query(
                f"max({since_success(_KEYS)}) unless on () ({gone}) unless on () {failed}",
                color=GOOD,
            ),
        ],
    )
    words = model.ValueMappingResult(text="never")
    return panel.mappings([model.ValueMap(options={str(_NEVER): words})])


def organizations_failing(
    position: Position, *, collector: str = "", description: str
) -> stat.Panel:
    """Return the number of organizations with a failing collector, or where ``collector`` fails."""
    matchers = [f'collector="{collector}"'] if collector else []
    failed = f"max by (organization) ({min_of_replicas(catalogue.UP, *matchers)} == bool 0)"
    return number(
        position,
        title="Organizations failing",
        description=description,
        unit="none",
        no_value="not reported",
        decimals=0,
        queries=[Query(f"sum({failed})")],
        steps=((0, GOOD), (1, BAD)),
    )


def firing(position: Position) -> table.Panel:
    """Return the table of firing alerts.

    Grafana's own alert list would need the name of the data source, and permission to read the
    rules. The series ``ALERTS`` exist wherever Prometheus evaluates them.
    """
    return grid(
        position,
        title="Firing alerts",
        description="Alerts of this project that are firing for the selected jobs, instances and"
        " organizations, most severe first. `Active for` counts from when the condition became"
        " true. The runbooks are in `docs/runbooks`. The table is empty if the Prometheus of the"
        " data source does not evaluate the rules.",
        unit=COUNT,
        no_value="no firing alerts",
        queries={
            "A": by(_ALERT_ROW, _rank()),
            "B": by(_ALERT_ROW, _alerts(), "count"),
            "C": by(
                _ALERT_ROW,
                f"time() - ALERTS_FOR_STATE{{{_SELECTED}}} and ignoring (alertstate) {_alerts()}",
            ),
        },
        columns=[
            Column(
                "Value #A",
                "Severity",
                110,
                states={str(rank): each for rank, each in enumerate(_RANKS.items())},
            ),
            Column("alertname", "Alert"),
            Column("organization", "Organization"),
            Column("Value #B", "Alerts", 90),
            Column("Value #C", "Active for", 130, unit="s", decimals=1),
        ],
        sort="Severity",
    )


def _rank() -> str:
    """Return a number for each alert, higher for higher severities."""
    matchers = ['severity!~"' + "|".join(_SEVERITIES) + '"']
    matchers += [f'severity="{severity}"' for severity in _SEVERITIES]
    return " or ".join(f"{rank} * {_alerts(each)}" for rank, each in enumerate(matchers))


def _alerts(*matchers: str) -> str:
    selected = ", ".join((_SELECTED, 'alertstate="firing"', *matchers))
    return f"ALERTS{{{selected}}}"
