"""Scrapes: the exporter beside the client library's own server and beside bare uvicorn.

While idle, the exporter and the yardsticks are measured in turns. During refreshes of a large
organization, the exporter is scraped at a fixed rate.
"""

from __future__ import annotations

import re
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.processes import exporter, load, organizations, running, upstream
from benchmarks.report import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.processes import Running

P99_WITHIN = 100.0
"""Milliseconds."""
LIBRARY, UVICORN = "start_http_server", "bare uvicorn"
_LEAST = {LIBRARY: 200, UVICORN: 0.3}
"""Goals, in times the yardstick."""
_SCRAPERS = 4


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """What is measured of one size."""

    organizations: int
    seconds: float
    """Duration of each measurement beside the yardsticks."""
    refreshing: float
    """Duration of each measurement during refreshes; longer than a refresh, in seconds."""
    rate: float
    """Scrapes per second during refreshes. Above 100 in total, or p99 would be the maximum."""
    yardsticks: tuple[str, ...] = (UVICORN,)
    """Only the smaller size has goals beside them. The library is slow."""
    repeats: int = 3
    pairs: int = 5_000
    """Pair series of each organization, including the one of collapsed pairs."""
    keys: int = 7_500  # which have more pairs
    busy_keys: int = 100_000

    @property
    def series(self) -> int:
        return self.organizations * self.pairs


_PLANS = (
    _Plan(organizations=1, seconds=1.5, refreshing=4.0, rate=100, yardsticks=(LIBRARY, UVICORN)),
    _Plan(organizations=20, seconds=0.7, refreshing=5.5, rate=20),
)
_QUICK = _Plan(
    organizations=2,
    seconds=0.2,
    refreshing=0.5,
    rate=50,
    yardsticks=(LIBRARY, UVICORN),
    repeats=1,
    pairs=50,
    keys=100,
    busy_keys=500,
)


def rows(*, quick: bool = False) -> Iterator[Row]:
    """Measure each size, idle first."""
    plans = (_QUICK,) if quick else _PLANS
    largest = plans[-1]
    with (
        upstream(largest.keys, largest.organizations) as quiet,
        upstream(largest.busy_keys) as busy,
    ):
        for plan in plans:
            print(f"scrape: {plan.series:,} series", file=sys.stderr, flush=True)
            settings: dict[str, Any] = {
                "refresh_timeout": "2m",
                "stale_after": "2h",
                "max_pairs": plan.pairs - 1,
            }
            idle = organizations(quiet.url, plan.organizations, refresh_interval="1h", **settings)
            with exporter(idle) as process:
                yield from _idle(plan, process)
            refreshing = organizations(busy.url, prefix="busy", refresh_interval="1s", **settings)
            with exporter([*idle[1:], *refreshing]) as process:
                yield from _during_refreshes(plan, process)


def _idle(plan: _Plan, process: Running) -> Iterator[Row]:
    process.wait_until_ready()
    plain, compressed = process.metrics(), process.metrics("gzip")
    found = len(re.findall(rb"(?m)^confluent_cloud_api_keys\{", plain))
    if found != plan.series:
        raise RuntimeError(f"{found} pair series, not {plan.series}")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        files = {LIBRARY: ("library", plain), UVICORN: ("uvicorn", compressed)}
        urls = {"": process.url}
        for name in plan.yardsticks:
            command, body = files[name]
            file = Path(folder, command)
            file.write_bytes(body)
            yardstick = running("-m", "benchmarks.yardsticks", command, str(file))
            urls[name] = stack.enter_context(yardstick).url
        rates: dict[str, list[float]] = {name: [] for name in urls}
        for _ in range(plan.repeats):
            for name, url in urls.items():
                rates[name].append(load(url, seconds=plan.seconds, connections=_SCRAPERS).rate)
    of = f"{plan.series:,} series, idle, {_SCRAPERS} scrapers"
    goals = len(plan.yardsticks) == len(_LEAST)
    for name in plan.yardsticks:
        yield Row(
            of,
            "scrapes, gzip",
            rates[""],
            "/s",
            yardstick=name,
            beside=rates[name],
            least=_LEAST[name] if goals else None,
        )
    alone = [
        load(process.url, seconds=plan.seconds, connections=1, encoding="identity")
        for _ in range(plan.repeats)
    ]
    of = f"{plan.series:,} series, idle, 1 scraper"
    for figure, values, unit in (
        ("uncompressed scrape", [1 / each.rate for each in alone], "s"),
        ("its size", [each.size / 1e6 for each in alone], "MB"),
    ):
        yield Row(of, figure, values, unit)


def _during_refreshes(plan: _Plan, process: Running) -> Iterator[Row]:
    process.wait_until_ready()
    p99 = [
        load(process.url, seconds=plan.refreshing, connections=_SCRAPERS, rate=plan.rate).p99 * 1000
        for _ in range(plan.repeats)
    ]
    of = f"{plan.series:,} series, refreshing, gzip, {plan.rate:g} scrapes/s"
    yield Row(of, "p99", p99, "ms", within=P99_WITHIN)
