"""Many organizations in one process: what each adds, and whether any is in the others' way."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.lag import VARIABLE, Longest
from benchmarks.measure import PYTHON, configuration, running, spread, upstream
from benchmarks.report import Row
from benchmarks.scrape import wait_until_ready
from benchmarks.scrapers import scrape_from_outside
from benchmarks.upstream import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.scrapers import Load

SECTION = "many"
_SIZES = (1, 20, 200)
_KEYS = 500
_SCRAPERS = 4
_RATE = 50.0  # scrapes per second
_INTERVAL = 8
_SECONDS = 9.0  # of scraping: every organization is refreshed within
_MOST_MEMORY = 1.5  # MiB for each organization
_LONGEST_SCRAPE = 100.0  # ms
_LONGEST_BLOCK = 50.0  # ms


@dataclass(frozen=True)
class _Seen:
    """One process with so many organizations."""

    organizations: int
    first: float
    """Seconds until every organization was refreshed once."""
    memory: float
    """MiB, after more refreshes and scrapes."""
    load: Load
    blocked: Longest


def rows(*, quick: bool = False) -> Iterator[Row]:
    """Measure each number of organizations, smallest first."""
    sizes = (1, 3) if quick else _SIZES
    keys, seconds = (50, 1.2) if quick else (_KEYS, _SECONDS)
    seen = []
    for size in sizes:
        print(f"many: {size} organizations of {keys} keys", file=sys.stderr, flush=True)
        seen.append(_see(size, keys=keys, seconds=seconds, interval=1 if quick else _INTERVAL))
    few, most = seen[0], seen[-1]
    each = (most.memory - few.memory) / (most.organizations - few.organizations)
    yield Row(
        section=SECTION,
        figure=f"memory of one more organization, {few.organizations} to {most.organizations}",
        value=spread([each]),
        unit="MiB",
        goal=f"≤ {_MOST_MEMORY} MiB",
        reached=each <= _MOST_MEMORY,
    )
    for one in seen:
        yield from _rows_of(one)


def _rows_of(seen: _Seen) -> Iterator[Row]:
    size = "1 organization" if seen.organizations == 1 else f"{seen.organizations} organizations"
    for figure, milliseconds, longest in (
        ("longest scrape", seen.load.most * 1000, _LONGEST_SCRAPE),
        ("longest block of the event loop", seen.blocked.steady * 1000, _LONGEST_BLOCK),
        (
            "longest block of the event loop, start-up included",
            seen.blocked.overall * 1000,
            _LONGEST_BLOCK,
        ),
    ):
        yield Row(
            section=SECTION,
            figure=f"{figure}, {size}",
            value=spread([milliseconds]),
            unit="ms",
            goal=f"≤ {longest:.0f} ms",
            reached=milliseconds <= longest,
        )
    for figure, value, unit in (
        ("scrape p99", seen.load.p99 * 1000, "ms"),
        ("first refresh of all", seen.first, "s"),
        ("memory", seen.memory, "MiB"),
    ):
        yield Row(section=SECTION, figure=f"{figure}, {size}", value=spread([value]), unit=unit)


def _see(organizations: int, *, keys: int, seconds: float, interval: int) -> _Seen:
    """Start the exporter, let it refresh, scrape it meanwhile."""
    with (
        tempfile.TemporaryDirectory() as folder,
        upstream(keys, organizations=organizations) as api,
    ):
        config, lag = Path(folder, "config.yaml"), Path(folder, "lag")
        config.write_text(
            configuration(
                api.found,
                organizations,
                refresh_interval=f"{interval}s",
                refresh_timeout="1m",
                stale_after="1h",
            )
        )
        with running(
            *(PYTHON, "-m", "benchmarks.lag", f"--config.file={config}"),
            "--web.listen-address=127.0.0.1:0",
            env={"SECRET": SECRET, VARIABLE: str(lag)},
            ready=r"msg=listening .*urls=(\S+)",
        ) as process:
            first = wait_until_ready(process.found)
            os.kill(process.pid, signal.SIGUSR1)
            load = scrape_from_outside(
                f"{process.found}/metrics",
                connections=_SCRAPERS,
                seconds=seconds,
                gzip=True,
                rate=_RATE,
            )
            memory = process.memory()
        blocked = Longest(**json.loads(lag.read_text()))
    return _Seen(organizations, first, memory, load, blocked)
