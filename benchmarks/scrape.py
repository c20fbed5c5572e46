"""Scrapes: the exporter beside the client library's own server and beside the ceiling."""

from __future__ import annotations

import itertools
import re
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import yaml

from benchmarks.measure import PYTHON, configuration, exporter, running, spread, upstream
from benchmarks.report import Row
from benchmarks.scrapers import scrape_from_outside

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.measure import Spread
    from benchmarks.scrapers import Load

SECTION = "scrape"
PAIRS = 5_000
"""Pair series of each organization, the one of what was collapsed included."""
_KEYS = 7_500
"""With as many keys there are more pairs."""
_BUSY_KEYS = 100_000
_SCRAPERS = 4
_GRID = tuple(itertools.product((True, False), (1, _SCRAPERS, 16)))
_LIBRARY, _CEILING = "start_http_server", "bare uvicorn"
_GOALS = {_LIBRARY: 200, _CEILING: 0.3}
"""Times the yardstick, at least."""
_LONGEST = 100.0  # ms
_PATIENCE = 120.0
_URL = r"(http://\S+)"


@dataclass(frozen=True)
class _Plan:
    """How much is measured of one size."""

    organizations: int
    repeats: int
    seconds: float
    """For each measurement that has a goal."""
    glance: float
    """Seconds for each of the others."""
    refreshing: float
    """Seconds for each measurement that has a goal during a refresh: longer than a refresh."""
    rate: float
    """Scrapes per second in those."""
    library: bool
    """Whether the library is measured, too: there the goals are. It is slow."""
    pairs: int = PAIRS
    keys: int = _KEYS
    busy_keys: int = _BUSY_KEYS

    @property
    def series(self) -> str:
        return f"{self.organizations * self.pairs:,} series"


_PLANS = (
    _Plan(1, repeats=3, seconds=1.5, glance=0.5, refreshing=4.0, rate=100.0, library=True),
    _Plan(20, repeats=1, seconds=1.0, glance=0.5, refreshing=6.0, rate=20.0, library=False),
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


def rows(*, quick: bool = False) -> Iterator[Row]:
    """Measure; the rows that have a goal come first for each size."""
    plans = (_QUICK,) if quick else _PLANS
    largest = plans[-1]
    with (
        upstream(largest.keys, organizations=largest.organizations) as quiet,
        upstream(largest.busy_keys) as busy,
    ):
        for plan in plans:
            _say(f"{plan.series}, idle")
            with serving(plan, quiet=quiet.found) as url:
                yield from _idle(plan, url)
            _say(f"{plan.series}, during refreshes of {plan.busy_keys:,} keys")
            with serving(plan, quiet=quiet.found, busy=busy.found) as url:
                yield from _during_refreshes(plan, url)


def _idle(plan: _Plan, url: str) -> Iterator[Row]:
    with _yardsticks(plan, url) as yardsticks:
        loads: dict[str, list[Load]] = {place: [] for place in (url, *yardsticks.values())}
        for _ in range(plan.repeats):
            for place, seen in loads.items():
                seen.append(
                    scrape_from_outside(
                        f"{place}/metrics", connections=_SCRAPERS, seconds=plan.seconds, gzip=True
                    )
                )
        rates = {place: spread([load.rate for load in seen]) for place, seen in loads.items()}
        for name, place in yardsticks.items():
            yield _compared(plan, rates[url], name, rates[place])
    yield from _grid(plan, url, "idle")


def _compared(plan: _Plan, ours: Spread, name: str, theirs: Spread) -> Row:
    least = _GOALS[name]
    return Row(
        section=SECTION,
        figure=f"requests, {plan.series}, gzip, {_SCRAPERS} scrapers",
        value=ours,
        unit="/s",
        yardstick=name,
        yardstick_value=theirs,
        goal=f"≥ {least} ×" if plan.library else "",  # noqa: RUF001 # it is times
        reached=ours.median >= least * theirs.median if plan.library else None,
    )


def _during_refreshes(plan: _Plan, url: str) -> Iterator[Row]:
    before, began = _refreshes(url), time.monotonic()
    loads = [
        scrape_from_outside(
            f"{url}/metrics",
            connections=_SCRAPERS,
            seconds=plan.refreshing,
            gzip=True,
            rate=plan.rate,
        )
        for _ in range(plan.repeats)
    ]
    refreshes, seconds = _refreshes(url) - before, time.monotonic() - began
    _say(f"{refreshes:.0f} refreshes ended in {seconds:.1f} s")
    figure = f"{plan.series}, gzip, {_SCRAPERS} scrapers, {plan.rate:g}/s, during a refresh"
    p99 = spread([load.p99 * 1000 for load in loads])
    yield Row(
        section=SECTION,
        figure=f"p99, {figure}",
        value=p99,
        unit="ms",
        goal=f"≤ {_LONGEST:.0f} ms",
        reached=p99.median <= _LONGEST,
    )
    longest = spread([load.most * 1000 for load in loads])
    yield Row(section=SECTION, figure=f"longest, {figure}", value=longest, unit="ms")
    yield from _grid(plan, url, "during a refresh")


def _grid(plan: _Plan, url: str, state: str) -> Iterator[Row]:
    """Glance at each encoding with each number of scrapers."""
    for gzip, scrapers in _GRID:
        load = scrape_from_outside(
            f"{url}/metrics", connections=scrapers, seconds=plan.glance, gzip=gzip
        )
        encoding = "gzip" if gzip else "identity"
        yield Row(
            section=SECTION,
            figure=f"requests, {plan.series}, {encoding}, {_counted(scrapers)}, {state};"
            f" p50 {load.p50 * 1000:.1f} ms, p99 {load.p99 * 1000:.1f} ms,"
            f" {load.size / 1000:,.0f} kB",
            value=spread([load.rate]),
            unit="/s",
        )


@contextmanager
def serving(plan: _Plan, *, quiet: str, busy: str = "") -> Iterator[str]:
    """Run the exporter with all its pairs, of the APIs at these addresses; yield its own.

    ``busy`` has a large organization, which is refreshed without a pause in place of a quiet one.
    """
    number = plan.organizations - bool(busy)
    organizations = _organizations(quiet, number, prefix="quiet", interval="1h", plan=plan)
    if busy:
        organizations += _organizations(busy, 1, prefix="busy", interval="1s", plan=plan)
    with exporter(yaml.safe_dump({"organizations": organizations})) as process:
        wait_until_ready(process.found)
        yield process.found


def _organizations(
    api: str, number: int, *, prefix: str, interval: str, plan: _Plan
) -> list[object]:
    """Return organizations that need no defaults, so that they go with others."""
    document = yaml.safe_load(
        configuration(
            api,
            number,
            refresh_interval=interval,
            refresh_timeout="2m",
            stale_after="2h",
            max_pairs=plan.pairs - 1,
        )
    )
    defaults = document.get("defaults", {})
    return [
        {**defaults, **each, "name": f"{prefix}-{position}"}
        for position, each in enumerate(document["organizations"])
    ]


def wait_until_ready(url: str) -> float:
    """Return the seconds until every organization was refreshed once."""
    began = time.monotonic()
    with httpx.Client(trust_env=False, timeout=_PATIENCE) as client:
        while client.get(f"{url}/-/ready").status_code != httpx.codes.OK:
            if time.monotonic() > began + _PATIENCE:
                raise TimeoutError(f"not ready after {_PATIENCE:.0f} s")
            time.sleep(0.02)
    return time.monotonic() - began


@contextmanager
def _yardsticks(plan: _Plan, url: str) -> Iterator[Mapping[str, str]]:
    """Run the yardsticks with what is at ``url``; yield their addresses by name."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        plain, compressed = Path(folder, "plain"), Path(folder, "compressed")
        plain.write_bytes(body(url, encoding="identity"))
        compressed.write_bytes(body(url, encoding="gzip"))
        found = len(re.findall(rb"(?m)^confluent_cloud_api_keys\{", plain.read_bytes()))
        if found != plan.organizations * plan.pairs:
            raise RuntimeError(f"{found} pair series, not {plan.series}")
        commands: dict[str, tuple[str, ...]] = {
            _CEILING: ("benchmarks.ceiling", str(compressed), "--gzip")
        }
        if plan.library:
            commands = {_LIBRARY: ("benchmarks.library", str(plain)), **commands}
        yield {
            name: stack.enter_context(running(PYTHON, "-m", *command, ready=_URL)).found
            for name, command in commands.items()
        }


def body(url: str, *, encoding: str) -> bytes:
    """Return what a scrape gets, as it comes."""
    headers = {"Accept": "text/plain", "Accept-Encoding": encoding}
    with (
        httpx.Client(trust_env=False, timeout=_PATIENCE) as client,
        client.stream("GET", f"{url}/metrics", headers=headers) as response,
    ):
        return b"".join(response.raise_for_status().iter_raw())


def _counted(scrapers: int) -> str:
    return "1 scraper" if scrapers == 1 else f"{scrapers} scrapers"


def _refreshes(url: str) -> float:
    """Return how many refreshes of the busy organization have ended."""
    line = re.compile(r'(?m)^confluent_cloud_exporter_refreshes_total\{.*"busy-0"\} (\S+)$')
    found = line.search(body(url, encoding="identity").decode())
    return float(found[1]) if found else 0.0


def _say(sentence: str) -> None:
    print(f"scrape: {sentence}", file=sys.stderr, flush=True)
