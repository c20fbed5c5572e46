"""The top of the health dashboard: what is wrong, at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from grafana.health.api import failure_share, left
from grafana.panels import BAD, GOOD, WARNING, Query, Spot, Text, number
from grafana.queries import RANGE, gauge, of_exporters, outside
from grafana.shared import data_age, organizations_failing

if TYPE_CHECKING:
    from grafana.panels import AnyPanel


def panels() -> list[AnyPanel]:
    """Return the numbers at the top."""
    up = of_exporters(outside("up"))
    return [
        number(
            Spot(1, x=0, y=0, w=4, h=4),
            Text(
                title="Exporters up",
                about="Exporters that Prometheus can scrape, of the chosen jobs and instances. Red:"
                " another one, which was there within the time range, cannot be scraped. Look at"
                " the targets of Prometheus and the exporter's log.",
                unit="none",
                none="no exporter",
                decimals=0,
            ),
            [
                Query(f"sum({up}) and on () (min({up}) == 0)", color=BAD),
                Query(f"sum({up}) and on () (min({up}) == 1)", color=GOOD),
            ],
        ),
        organizations_failing(
            Spot(2, x=4, y=0, w=4, h=4),
            about="Organizations of which the latest refresh of the keys, the names or the quotas"
            " failed. What they show is that of the refresh before. Refresh failures below tell"
            " the reason.",
        ),
        number(
            Spot(3, x=8, y=0, w=5, h=4),
            Text(
                title="Rate limit left",
                about="Requests left in the API's window as a share of what it allows; the chosen"
                " organization and endpoint with the least. Orange below a quarter, red below a"
                " tenth: others who share the limit, such as Terraform, may be refused.",
                unit="percentunit",
                none="the API says nothing of it",
                decimals=0,
            ),
            [Query(f"min({left()} / ({gauge(catalogue.RATE_LIMIT)} > 0))")],
            base=BAD,
            steps=((0.1, WARNING), (0.25, GOOD)),
        ),
        number(
            Spot(4, x=13, y=0, w=5, h=4),
            Text(
                title="Failed requests",
                about="Share of the requests within the time range that brought nothing of use, of"
                " the chosen organizations and all chosen exporters together. Some are repeated"
                " with success; the row Requests tells the reasons.",
                unit="percentunit",
                none="no requests",
                decimals=1,
            ),
            [Query(failure_share(RANGE))],
            base=GOOD,
            steps=((0.01, WARNING), (0.1, BAD)),
        ),
        data_age(Spot(5, x=18, y=0, w=6, h=4)),
    ]
