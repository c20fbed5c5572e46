"""Scrapes: the exporter beside the client library's own server and beside the ceiling.

What has a goal is repeated: idle, in turns with the yardsticks; during refreshes of a large
organization, at a fixed rate. Besides, there is a glance at each encoding with each number of
scrapers.
"""

from __future__ import annotations

import itertools
import re
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.measure import spread, upstream
from benchmarks.report import Glance, Row, paired
from benchmarks.scrapers import scrape_from_outside
from benchmarks.serving import CEILING, LIBRARY, Size, body, serving, yardsticks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.measure import Running
    from benchmarks.scrapers import Load

SECTION = "scrape"
PAIRS = 5_000
"""Pair series of each organization, the one of what was collapsed included."""
_KEYS = 7_500
"""With as many keys there are more pairs."""
_BUSY_KEYS = 100_000
_SCRAPERS = 4
_GRID = tuple(itertools.product((True, False), (1, _SCRAPERS, 16)))
_GOALS = {LIBRARY: 200, CEILING: 0.3}
"""Times the yardstick, at least."""
_LONGEST = 100.0  # ms


@dataclass(frozen=True)
class _Plan:
    """How much is measured of one size."""

    organizations: int
    seconds: float
    """For each measurement beside the yardsticks."""
    glance: float
    """Seconds for each glance."""
    refreshing: float
    """Seconds for each measurement that has a goal during a refresh: longer than a refresh."""
    rate: float
    """Scrapes per second in those: more than 100 in each, or p99 would be the longest."""
    library: bool
    """Whether the library is measured, too: there the goals are. It is slow."""
    repeats: int = 3
    pairs: int = PAIRS
    keys: int = _KEYS
    busy_keys: int = _BUSY_KEYS

    @property
    def size(self) -> Size:
        return Size(self.organizations, self.pairs)

    @property
    def series(self) -> str:
        return f"{self.size.series:,} series"


_PLANS = (
    _Plan(1, seconds=1.5, glance=0.5, refreshing=4.0, rate=100.0, library=True),
    _Plan(20, seconds=0.7, glance=0.5, refreshing=5.5, rate=20.0, library=False),
)
_QUICK = _Plan(
    2,
    repeats=1,
    seconds=0.2,
    glance=0.05,
    refreshing=0.5,
    rate=50.0,
    library=True,
    pairs=50,
    keys=100,
    busy_keys=500,
)


def rows(*, quick: bool = False) -> Iterator[Row | Glance]:
    """Measure each size, idle first."""
    plans = (_QUICK,) if quick else _PLANS
    largest = plans[-1]
    with (
        upstream(largest.keys, organizations=largest.organizations) as quiet,
        upstream(largest.busy_keys) as busy,
    ):
        for plan in plans:
            _say(f"{plan.series}, idle")
            with serving(plan.size, quiet=quiet.found) as process:
                yield from _idle(plan, process.found)
            _say(f"{plan.series}, during refreshes of {plan.busy_keys:,} keys")
            with serving(plan.size, quiet=quiet.found, busy=busy.found) as process:
                yield from _during_refreshes(plan, process, busy)


def _idle(plan: _Plan, url: str) -> Iterator[Row | Glance]:
    with yardsticks(plan.size, url, library=plan.library) as beside:
        rates: dict[str, list[float]] = {place: [] for place in (url, *beside.values())}
        for _ in range(plan.repeats):
            for place, seen in rates.items():
                seen.append(_scraped(place, seconds=plan.seconds).rate)
        for name, place in beside.items():
            yield paired(
                section=SECTION,
                of=f"{plan.series}, idle, gzip, {_SCRAPERS} scrapers",
                figure="scrapes",
                own=rates[url],
                yardstick=name,
                theirs=rates[place],
                unit="/s",
                least=_GOALS[name] if plan.library else None,
            )
    yield from _glances(plan, url, "idle")


def _during_refreshes(plan: _Plan, process: Running, busy: Running) -> Iterator[Row | Glance]:
    url, loads = process.found, []
    own: list[float] = []
    simulator: list[float] = []
    before, began = _refreshes(url), time.monotonic()
    for _ in range(plan.repeats):
        at = process.cpu(), busy.cpu()
        loads.append(_scraped(url, seconds=plan.refreshing, rate=plan.rate))
        own.append(process.cpu() - at[0])
        simulator.append(busy.cpu() - at[1])
    refreshes, seconds = _refreshes(url) - before, time.monotonic() - began
    _say(f"{refreshes:.0f} refreshes ended in {seconds:.1f} s")
    of = f"{plan.series}, refreshing, gzip, {_SCRAPERS} scrapers, {plan.rate:g}/s"
    p99 = spread(load.p99 * 1000 for load in loads)
    yield Row(
        section=SECTION,
        of=of,
        figure="p99",
        value=p99,
        unit="ms",
        goal=f"≤ {_LONGEST:.0f} ms",
        reached=p99.median <= _LONGEST,
    )
    longest = spread(load.most * 1000 for load in loads)
    yield Row(section=SECTION, of=of, figure="longest", value=longest, unit="ms")
    yield paired(
        section=SECTION,
        of=of,
        figure="CPU of the simulator",
        own=simulator,
        yardstick="the exporter's",
        theirs=own,
        unit="s",
    )
    yield from _glances(plan, url, "refreshing")


def _glances(plan: _Plan, url: str, state: str) -> Iterator[Glance]:
    """Glance at each encoding with each number of scrapers."""
    for gzip, scrapers in _GRID:
        load = _scraped(url, seconds=plan.glance, scrapers=scrapers, gzip=gzip)
        yield Glance(
            section=SECTION,
            series=plan.size.series,
            state=state,
            encoding="gzip" if gzip else "identity",
            scrapers=scrapers,
            requests_per_second=load.rate,
            p50_seconds=load.p50,
            p99_seconds=load.p99,
            bytes=load.size,
        )


def _scraped(
    url: str,
    *,
    seconds: float,
    scrapers: int = _SCRAPERS,
    gzip: bool = True,
    rate: float | None = None,
) -> Load:
    return scrape_from_outside(
        f"{url}/metrics", connections=scrapers, seconds=seconds, gzip=gzip, rate=rate
    )


def _refreshes(url: str) -> float:
    """Return how many refreshes of the busy organization have ended."""
    line = re.compile(r'(?m)^confluent_cloud_exporter_refreshes_total\{.*"busy-0"\} (\S+)$')
    found = line.search(body(url, encoding="identity").decode())
    return float(found[1]) if found else 0.0


def _say(sentence: str) -> None:
    print(f"scrape: {sentence}", file=sys.stderr, flush=True)
