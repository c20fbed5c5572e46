"""Many organizations in one process: what each adds, and whether any is in the others' way.

Each repeat is a new process for each number of organizations, in turns: it refreshes all of them
over and over while it is scraped. "Longest" is the worst within one repeat, and what is judged is
the median of those over the repeats, beside which the spread shows the worst of all: a machine that
is shared stalls everybody now and then, and one such moment is no property of the exporter.

The watch on the event loop (:mod:`benchmarks.lag`) is part of the process and of its figures.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.lag import VARIABLE, Longest
from benchmarks.measure import PYTHON, configuration, running, spread, upstream
from benchmarks.report import Row, paired
from benchmarks.scrapers import scrape_from_outside
from benchmarks.serving import body, wait_until_ready
from benchmarks.upstream import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from benchmarks.measure import Running
    from benchmarks.scrapers import Load

SECTION = "many"
_KEYS = 500
_REPEATS = 3
_SCRAPERS = 4
_RATE = 50.0  # scrapes per second
_MOST_MEMORY = 1.5  # MiB for each organization
_LONGEST_SCRAPE = 100.0  # ms
_LONGEST_BLOCK = 50.0  # ms
_SUCCESS = re.compile(
    rb"(?m)^confluent_cloud_exporter_last_success_timestamp_seconds"
    rb'\{collector="api_keys".*\} (\S+)$'
)


@dataclass(frozen=True)
class _Plan:
    """How one number of organizations is measured."""

    organizations: int
    interval: int
    """Seconds from one refresh of an organization to its next."""
    seconds: float
    """Of scraping: longer than the interval, so that every organization is refreshed within."""


_PLANS = (_Plan(1, 1, 2.2), _Plan(20, 2, 3.2), _Plan(200, 8, 11.0))
_QUICK = (_Plan(1, 1, 1.2), _Plan(3, 1, 1.2))


@dataclass(frozen=True)
class Seen:
    """One process with so many organizations."""

    first: float
    """Seconds until every organization was refreshed once."""
    memory: float
    """MiB, after more refreshes and scrapes."""
    load: Load
    blocked: Longest
    refreshed: int
    """Organizations that were refreshed while it was scraped."""
    cpu: float
    """Seconds of the exporter while it was scraped."""
    simulator: float
    """Seconds of the simulator meanwhile."""


def rows(*, quick: bool = False) -> Iterator[Row]:
    """Measure each number of organizations, in turns."""
    plans, keys, repeats = (_QUICK, 50, 2) if quick else (_PLANS, _KEYS, _REPEATS)
    seen: dict[int, list[Seen]] = {plan.organizations: [] for plan in plans}
    # One upstream for all: who has few organizations asks for the first ones of it.
    with upstream(keys, organizations=max(seen)) as api:
        for repeat in range(1, repeats + 1):
            for plan in plans:
                what = f"{plan.organizations} organizations of {keys} keys"
                print(f"many: {what}, {repeat} of {repeats}", file=sys.stderr, flush=True)
                seen[plan.organizations].append(_see(plan, api))
    yield memory_of_each(seen)
    for organizations, those in seen.items():
        yield from rows_of(organizations, those)


def memory_of_each(seen: Mapping[int, Sequence[Seen]]) -> Row:
    """Return what the most organizations need more than the fewest, for each, repeat by repeat."""
    few, most = min(seen), max(seen)
    each = spread(
        (large.memory - small.memory) / (most - few)
        for small, large in zip(seen[few], seen[most], strict=True)
    )
    return Row(
        section=SECTION,
        of=f"one more organization, {few} to {most}",
        figure="memory",
        value=each,
        unit="MiB",
        goal=f"≤ {_MOST_MEMORY} MiB",
        reached=each.median <= _MOST_MEMORY,
    )


def rows_of(organizations: int, seen: Sequence[Seen]) -> Iterator[Row]:
    """Yield what was seen of one number of organizations, an item for each repeat."""
    of = "1 organization" if organizations == 1 else f"{organizations} organizations"
    for figure, seconds, longest in (
        ("longest scrape", [each.load.most for each in seen], _LONGEST_SCRAPE),
        ("longest block of the loop", [each.blocked.steady for each in seen], _LONGEST_BLOCK),
        ("longest block since start", [each.blocked.overall for each in seen], _LONGEST_BLOCK),
    ):
        value = spread(each * 1000 for each in seconds)
        yield Row(
            section=SECTION,
            of=of,
            figure=figure,
            value=value,
            unit="ms",
            goal=f"≤ {longest:.0f} ms",
            reached=value.median <= longest,
        )
    for figure, values, unit in (
        ("longest collection", [each.blocked.collection * 1000 for each in seen], "ms"),
        ("scrape p99", [each.load.p99 * 1000 for each in seen], "ms"),
        ("first refresh of all", [each.first for each in seen], "s"),
        ("memory", [each.memory for each in seen], "MiB"),
    ):
        yield Row(section=SECTION, of=of, figure=figure, value=spread(values), unit=unit)
    yield Row(
        section=SECTION,
        of=of,
        figure="refreshed meanwhile",
        value=spread(each.refreshed for each in seen),
        yardstick="organizations",
        yardstick_value=spread([organizations]),
        goal="all",
        reached=all(each.refreshed == organizations for each in seen),
    )
    yield paired(
        section=SECTION,
        of=of,
        figure="CPU of the simulator",
        own=[each.simulator for each in seen],
        yardstick="the exporter's",
        theirs=[each.cpu for each in seen],
        unit="s",
    )


def _see(plan: _Plan, api: Running) -> Seen:
    """Start the exporter, let it refresh, scrape it meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        config, lag = Path(folder, "config.yaml"), Path(folder, "lag")
        config.write_text(
            configuration(
                api.found,
                plan.organizations,
                refresh_interval=f"{plan.interval}s",
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
            began, before = time.time(), (process.cpu(), api.cpu())
            load = scrape_from_outside(
                f"{process.found}/metrics",
                connections=_SCRAPERS,
                seconds=plan.seconds,
                gzip=True,
                rate=_RATE,
            )
            after = process.cpu(), api.cpu()
            memory = process.memory()
            refreshed = _refreshed_since(began, process.found)
        blocked = Longest(**json.loads(lag.read_text()))
    return Seen(
        first=first,
        memory=memory,
        load=load,
        blocked=blocked,
        refreshed=refreshed,
        cpu=after[0] - before[0],
        simulator=after[1] - before[1],
    )


def _refreshed_since(began: float, url: str) -> int:
    """Return how many organizations say that they were refreshed after that Unix time."""
    page = gzip.decompress(body(url, encoding="gzip"))
    return sum(float(at) > began for at in _SUCCESS.findall(page))
