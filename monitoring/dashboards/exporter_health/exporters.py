"""The series and the resource usage of the exporters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from monitoring.dashboards.panels import COUNT, WARNING, Position, Query, graph, shaded
from monitoring.dashboards.queries import INTERVAL, gauge, of_exporters, series

if TYPE_CHECKING:
    from monitoring.dashboards.panels import AnyPanel

_INSTANCE = "{{instance}}"


def exposed() -> list[AnyPanel]:
    """Return the panels about exposed and missing series."""
    samples = graph(
        Position(401, x=0, y=0, w=12, h=8),
        title="Series exposed",
        description="Samples of each scrape, by instance, of the selected jobs and instances. If"
        " Prometheus has too many series, lower `max_pairs` or disable `per_key_metrics`.",
        unit=COUNT,
        no_value="no exporter",
        decimals=0,
        queries=[Query(of_exporters(series("scrape_samples_scraped")), _INSTANCE)],
        reach=None,
    )
    missing = graph(
        Position(403, x=12, y=0, w=12, h=8),
        title="Collapsed pairs and unreadable items",
        description="Pairs of owner and resource beyond `max_pairs`, which are combined as"
        " `other`, and unreadable items of listings, which are not counted, by organization."
        " Raise `max_pairs` to show the pairs. The log names the unreadable items.",
        unit=COUNT,
        no_value="none known",
        decimals=0,
        queries=[
            Query(f"{gauge(catalogue.COLLAPSED_PAIRS)} > 0", "{{organization}} collapsed"),
            Query(f"{gauge(catalogue.UNREADABLE_ITEMS)} > 0", "{{organization}} unreadable"),
        ],
        reach=1,
    )
    return [samples, shaded(missing, color=WARNING)]


def processes() -> list[AnyPanel]:
    """Return the panels about CPU, memory, files and scrapes."""
    cpu = f"rate({series('process_cpu_seconds_total')}[{INTERVAL}])"
    files = f"{series('process_open_fds')} / {series('process_max_fds')}"
    return [
        graph(
            Position(501, x=0, y=0, w=6, h=8),
            title="CPU",
            description="CPU time of each exporter of the selected jobs and instances; 100 % is"
            " one full core. Refreshes and scrapes use CPU; otherwise the exporter is idle.",
            unit="percentunit",
            no_value="no exporter",
            queries=[Query(of_exporters(cpu), _INSTANCE)],
            reach=0.1,
        ),
        graph(
            Position(502, x=6, y=0, w=6, h=8),
            title="Memory",
            description="Resident memory of each exporter of the selected jobs and instances. It"
            " grows with the number of keys. If it grows without more keys, report a bug.",
            unit="bytes",
            no_value="no exporter",
            queries=[Query(of_exporters(series("process_resident_memory_bytes")), _INSTANCE)],
            reach=None,
        ),
        graph(
            Position(503, x=12, y=0, w=6, h=8),
            title="Open files",
            description="Open file descriptors of each exporter of the selected jobs and"
            " instances, as a share of its limit. If it rises towards 100 %, connections are not"
            " closed: restart the exporter and report a bug.",
            unit="percentunit",
            no_value="no exporter",
            queries=[Query(of_exporters(files), _INSTANCE)],
            reach=0.1,
        ),
        graph(
            Position(402, x=18, y=0, w=6, h=8),
            title="Scrape duration",
            description="Duration of each scrape, by instance, of the selected jobs and"
            " instances. The exporter answers from memory, so this is mostly network and"
            " Prometheus itself. It must stay below `scrape_timeout`.",
            unit="s",
            no_value="no exporter",
            queries=[Query(of_exporters(series("scrape_duration_seconds")), _INSTANCE)],
            reach=0.1,
        ),
    ]
