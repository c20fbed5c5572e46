"""What the exporters expose, what they use, and what runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from grafana.panels import BAD, COUNT, GOOD, Query, Spot, Text, dashed, graph
from grafana.queries import INTERVAL, by, gauge, of_exporters, outside, selector
from grafana.tables import TEXT_CELL, Column, colored, grid, mapped, unit

if TYPE_CHECKING:
    from grafana.panels import AnyPanel

_INSTANCE = "{{instance}}"
_TARGET = ("job", "instance")


def exposed() -> list[AnyPanel]:
    """Return how much is exposed, and what is left out."""
    return [
        graph(
            Spot(401, x=0, y=0, w=8, h=8),
            Text(
                title="Series exposed",
                about="Samples of each scrape, by instance, of the chosen jobs and instances. Too"
                " many for your Prometheus? Lower `max_pairs`, or switch `per_key_metrics` off.",
                unit="short",
                none="no exporter",
            ),
            [Query(of_exporters(outside("scrape_samples_scraped")), _INSTANCE)],
        ),
        graph(
            Spot(402, x=8, y=0, w=8, h=8),
            Text(
                title="Scrape duration",
                about="How long Prometheus takes for a scrape, by instance, of the chosen jobs and"
                " instances. The exporter answers from memory, so this is transport and the"
                " Prometheus itself. It must stay below `scrape_timeout`.",
                unit="s",
                none="no exporter",
            ),
            [Query(of_exporters(outside("scrape_duration_seconds")), _INSTANCE)],
        ),
        graph(
            Spot(403, x=16, y=0, w=8, h=8),
            Text(
                title="Collapsed pairs and unreadable items",
                about="By organization: pairs of owner and resource beyond `max_pairs`, which stand"
                " together as `other`, and items of the listing that could not be read and are not"
                " counted. Raise `max_pairs` for the one; the log names the other.",
                unit="short",
                none="not reported",
                decimals=0,
            ),
            [
                Query(gauge(catalogue.COLLAPSED_PAIRS), "{{organization}} collapsed"),
                Query(gauge(catalogue.UNREADABLE_ITEMS), "{{organization}} unreadable"),
            ],
        ),
    ]


def processes() -> list[AnyPanel]:
    """Return what each exporter uses of its machine."""
    cpu = f"rate({outside('process_cpu_seconds_total')}[{INTERVAL}])"
    files = graph(
        Spot(503, x=16, y=0, w=8, h=8),
        Text(
            title="Open files",
            about="Open file descriptors of each exporter and, dashed, how many it may have, of"
            " the chosen jobs and instances. Rising towards the limit means that connections are"
            " not closed: restart it and report it.",
            unit="short",
            none="no exporter",
            decimals=0,
        ),
        [
            Query(of_exporters(outside("process_open_fds")), f"{_INSTANCE} open"),
            Query(of_exporters(outside("process_max_fds")), f"{_INSTANCE} limit"),
        ],
    )
    return [
        graph(
            Spot(501, x=0, y=0, w=8, h=8),
            Text(
                title="CPU",
                about="Processors that each exporter keeps busy, of the chosen jobs and instances;"
                " 1 is one of them all the time. It works during refreshes and scrapes, and rests"
                " between them.",
                unit="none",
                none="no exporter",
                decimals=2,
            ),
            [Query(of_exporters(cpu), _INSTANCE)],
        ),
        graph(
            Spot(502, x=8, y=0, w=8, h=8),
            Text(
                title="Memory",
                about="Resident memory of each exporter, of the chosen jobs and instances. It"
                " follows the number of keys; growth without more keys is a fault to report.",
                unit="bytes",
                none="no exporter",
            ),
            [Query(of_exporters(outside("process_resident_memory_bytes")), _INSTANCE)],
        ),
        dashed(files, "B"),
    ]


def configuration() -> list[AnyPanel]:
    """Return which version runs with which configuration."""
    labels = (*_TARGET, "version", "python_version")
    build = by(labels, selector(catalogue.BUILD_INFO))
    loaded = by(_TARGET, selector(catalogue.CONFIG_RELOAD_SUCCESSFUL))
    since = by(_TARGET, f"time() - {selector(catalogue.CONFIG_RELOAD_TIMESTAMP)}")
    started = by(
        _TARGET,
        f"time() - {of_exporters(outside('process_start_time_seconds'))}",
    )
    return [
        grid(
            Spot(601, x=0, y=0, w=24, h=7),
            Text(
                title="Exporters",
                about="Each exporter of the chosen jobs and instances: its version, whether its"
                " latest attempt to load the configuration succeeded, when one last did, and how"
                " long it has been running. A rejected file leaves the one before in force; the"
                " log says what is wrong with it.",
                unit=COUNT,
                none="no exporter",
            ),
            {"A": build, "B": loaded, "C": since, "D": started},
            [
                Column("job", "Job"),
                Column("instance", "Instance"),
                Column("version", "Version"),
                Column("python_version", "Python"),
                Column(
                    "Value #B",
                    "Configuration",
                    settings=(
                        *unit("none", 0),
                        *colored(BAD, ((1, GOOD),), TEXT_CELL),
                        mapped({"0": "rejected", "1": "in force"}),
                    ),
                ),
                Column("Value #C", "Loaded", settings=unit("s", 1)),
                Column("Value #D", "Running for", settings=unit("s", 1)),
            ],
            hidden=("Time", "Value #A"),
            sort="Instance",
            descending=False,
        )
    ]
