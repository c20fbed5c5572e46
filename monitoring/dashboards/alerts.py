"""The alerts of this project that fire, by what Prometheus writes about its rules.

Grafana's own panel of alerts would need the name of the data source, and Grafana's permission to
read the rules. The series ``ALERTS`` exist wherever Prometheus evaluates them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitoring.dashboards.panels import BAD, COUNT, NEUTRAL, WARNING, Text
from monitoring.dashboards.queries import by
from monitoring.dashboards.tables import Column, grid, judged, unit

if TYPE_CHECKING:
    from monitoring.dashboards.panels import Spot
    from monitoring.dashboards.sdk import table

_ROW = ("alertname", "organization")
# Some alerts lack these labels: one about an exporter has no organization.
_SELECTED = (
    'job=~"$job|", instance=~"$instance|", organization=~"$organization|",'
    ' alertname=~"ConfluentApiKeys.+"'
)
_SEVERITIES = {"info": NEUTRAL, "warning": WARNING, "critical": BAD}
_RANKS = {"other": "text", **_SEVERITIES}


def firing(spot: Spot) -> table.Panel:
    """Return the table of the alerts that fire now."""
    return grid(
        spot,
        Text(
            title="Firing alerts",
            about="Alerts of this project's rules that fire now for the selected jobs, instances"
            " and organizations, the most severe first. `Active for` counts from when the condition"
            " became true. Their runbooks are in `docs/runbooks`. The table stays empty if the data"
            " source's Prometheus does not evaluate the rules.",
            unit=COUNT,
            none="no firing alerts",
        ),
        {
            "A": by(_ROW, _rank()),
            "B": by(_ROW, _alerts(), "count"),
            "C": by(
                _ROW,
                f"time() - ALERTS_FOR_STATE{{{_SELECTED}}} and ignoring (alertstate) {_alerts()}",
            ),
        },
        [
            Column(
                "Value #A",
                "Severity",
                110,
                judged(
                    {str(rank): (name, color) for rank, (name, color) in enumerate(_RANKS.items())}
                ),
            ),
            Column("alertname", "Alert"),
            Column("organization", "Organization"),
            Column("Value #B", "Alerts", 90),
            Column("Value #C", "Active for", 130, unit("s", 1)),
        ],
        sort="Severity",
    )


def _rank() -> str:
    """Return a number for each alert that grows with its severity."""
    matchers = ['severity!~"' + "|".join(_SEVERITIES) + '"']
    matchers += [f'severity="{severity}"' for severity in _SEVERITIES]
    return " or ".join(f"{rank} * {_alerts(each)}" for rank, each in enumerate(matchers))


def _alerts(*matchers: str) -> str:
    selected = ", ".join((_SELECTED, 'alertstate="firing"', *matchers))
    return f"ALERTS{{{selected}}}"
