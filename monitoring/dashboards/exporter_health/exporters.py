"""What the exporters expose, and what they use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from monitoring.dashboards.panels import COUNT, WARNING, Query, Spot, Text, failures, graph
from monitoring.dashboards.queries import INTERVAL, gauge, of_exporters, outside

if TYPE_CHECKING:
    from monitoring.dashboards.panels import AnyPanel

_INSTANCE = "{{instance}}"


def exposed() -> list[AnyPanel]:
    """Return how much is exposed, and what is left out."""
    series = graph(
        Spot(401, x=0, y=0, w=12, h=8),
        Text(
            title="Series exposed",
            about="Samples of each scrape, by instance, of the selected jobs and instances. If"
            " Prometheus has too many series, lower `max_pairs` or switch `per_key_metrics`"
            " off.",
            unit=COUNT,
            none="no exporter",
            decimals=0,
        ),
        [Query(of_exporters(outside("scrape_samples_scraped")), _INSTANCE)],
        reach=None,
    )
    left_out = graph(
        Spot(403, x=12, y=0, w=12, h=8),
        Text(
            title="Collapsed pairs and unreadable items",
            about="Owner and resource pairs beyond `max_pairs`, which are combined as `other`, and"
            " items of the listing that could not be read and are not counted, by organization."
            " Raise `max_pairs` for the pairs; the log names the unreadable items.",
            unit=COUNT,
            none="none known",
            decimals=0,
        ),
        [
            Query(f"{gauge(catalogue.COLLAPSED_PAIRS)} > 0", "{{organization}} collapsed"),
            Query(f"{gauge(catalogue.UNREADABLE_ITEMS)} > 0", "{{organization}} unreadable"),
        ],
        reach=1,
    )
    return [series, failures(left_out, color=WARNING)]


def processes() -> list[AnyPanel]:
    """Return what each exporter uses of its machine."""
    cpu = f"rate({outside('process_cpu_seconds_total')}[{INTERVAL}])"
    files = f"{outside('process_open_fds')} / {outside('process_max_fds')}"
    return [
        graph(
            Spot(501, x=0, y=0, w=6, h=8),
            Text(
                title="CPU",
                about="CPU time used by each exporter of the selected jobs and instances; 100 % is"
                " one core all the time. Refreshes and scrapes use CPU; between them the"
                " exporter is idle.",
                unit="percentunit",
                none="no exporter",
            ),
            [Query(of_exporters(cpu), _INSTANCE)],
            reach=0.1,
        ),
        graph(
            Spot(502, x=6, y=0, w=6, h=8),
            Text(
                title="Memory",
                about="Resident memory of each exporter of the selected jobs and instances. It"
                " follows the number of keys. Growth without more keys is a bug to report.",
                unit="bytes",
                none="no exporter",
            ),
            [Query(of_exporters(outside("process_resident_memory_bytes")), _INSTANCE)],
            reach=None,
        ),
        graph(
            Spot(503, x=12, y=0, w=6, h=8),
            Text(
                title="Open files",
                about="Open file descriptors of each exporter of the selected jobs and instances,"
                " as a share of its limit. A rise towards 100 % means that connections are"
                " not closed: restart the exporter and report it.",
                unit="percentunit",
                none="no exporter",
            ),
            [Query(of_exporters(files), _INSTANCE)],
            reach=0.1,
        ),
        graph(
            Spot(402, x=18, y=0, w=6, h=8),
            Text(
                title="Scrape duration",
                about="Duration of each scrape, by instance, of the selected jobs and instances."
                " The exporter answers from memory, so this is mostly network and Prometheus"
                " itself. It must stay below `scrape_timeout`.",
                unit="s",
                none="no exporter",
            ),
            [Query(of_exporters(outside("scrape_duration_seconds")), _INSTANCE)],
            reach=0.1,
        ),
    ]
