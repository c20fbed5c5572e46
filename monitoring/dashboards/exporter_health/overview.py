"""The top of the health dashboard: what is wrong, at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitoring.dashboards.alerts import firing
from monitoring.dashboards.exporter_health.api import failure_share, left_lately
from monitoring.dashboards.panels import BAD, GOOD, WARNING, Query, Spot, Text, number
from monitoring.dashboards.queries import of_exporters, outside
from monitoring.dashboards.shared import data_age, organizations_failing

if TYPE_CHECKING:
    from monitoring.dashboards.panels import AnyPanel


def panels() -> list[AnyPanel]:
    """Return the numbers at the top and the alerts.

    The first two numbers say whether the others can be believed.
    """
    return [
        organizations_failing(
            Spot(2, x=0, y=0, w=5, h=4),
            about="Organizations whose latest refresh of the keys, names or quotas failed on at"
            " least one replica. Until `stale_after` they show the data of the latest"
            " successful refresh; then keys and quotas disappear. Collectors below names"
            " them.",
        ),
        data_age(Spot(5, x=5, y=0, w=5, h=4)),
        number(
            Spot(1, x=10, y=0, w=4, h=4),
            Text(
                title="Exporters down",
                about="Exporters of the selected jobs and instances that Prometheus cannot scrape."
                " An exporter counts if it was scraped within the last 7 days and is still a"
                " target. Exporters below names them. Check the targets page of Prometheus"
                " and the exporter's log.",
                unit="none",
                none="no exporter",
                decimals=0,
            ),
            [Query(f"sum({of_exporters(outside('up'))} == bool 0)")],
            steps=((0, GOOD), (1, BAD)),
        ),
        number(
            Spot(3, x=14, y=0, w=5, h=4),
            Text(
                title="Rate limit left",
                about="Requests left in the API's rate limit window as a share of the limit: the"
                " lowest of the selected organizations and their endpoints, among those that"
                " answered within `stale_after`. Orange below a quarter, red below a tenth:"
                " other users of the limit, such as Terraform, may be refused.",
                unit="percentunit",
                none="no rate limit reported",
                decimals=0,
            ),
            [Query(f"min({left_lately()})")],
            steps=((0, BAD), (0.1, WARNING), (0.25, GOOD)),
        ),
        number(
            Spot(4, x=19, y=0, w=5, h=4),
            Text(
                title="Failed requests",
                about="Share of requests that failed within 30 minutes: the worst of the selected"
                " organizations with at least 10 requests. The requests of all selected exporters"
                " are added up. Some are retried with success. Red from 20 %, as the alert; the row"
                " Requests to the API shows the reasons.",
                unit="percentunit",
                none="too few to judge",
                decimals=1,
            ),
            [Query(f"max({failure_share()})")],
            steps=((0, GOOD), (0.05, WARNING), (0.2, BAD)),
        ),
        firing(Spot(7, x=0, y=4, w=24, h=6)),
    ]
