"""1,000 organizations in one process: scrapes at fixed times, memory, and the status page.

Scrapes are sent from the first moment, while all organizations are refreshed for the first time;
then while each of them is refreshed again; then while a changed configuration creates all of them
again. The scraper keeps its connection, as Prometheus does.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from benchmarks.processes import (
    TIMEOUT,
    exporter,
    load,
    organizations,
    refreshed_since,
    upstream,
    write_config,
)
from benchmarks.report import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.load import Load
    from benchmarks.processes import Running

SCRAPE_WITHIN = 100.0
"""Milliseconds."""
MEMORY_WITHIN = 600.0
"""MiB."""
_RATE = 4.0  # scrapes per second
_RELOADED = r'msg="configuration loaded"'


@dataclass(frozen=True)
class _Plan:
    organizations: int
    keys: int
    """Of each organization."""
    interval: int
    """``refresh_interval`` in seconds."""
    starting: float
    """Duration of the scraping after the start, in seconds: 20 ms for each organization."""
    seconds: float
    """Duration of the scraping afterwards; longer than the interval."""


_PLAN = _Plan(organizations=1_000, keys=100, interval=30, starting=22.0, seconds=33.0)
_QUICK = _Plan(organizations=3, keys=50, interval=1, starting=0.6, seconds=1.2)


def rows(*, quick: bool = False) -> Iterator[Row]:
    """Measure the start, refreshes, a reload, the status page and the stop."""
    plan = _QUICK if quick else _PLAN
    of = f"{plan.organizations:,} organizations of {plan.keys} keys"
    print(f"many: {of}", file=sys.stderr, flush=True)
    with upstream(plan.keys, plan.organizations) as api, tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.yaml")
        settings = {"refresh_interval": f"{plan.interval}s", "refresh_timeout": "1m"}
        served = organizations(api.url, plan.organizations, stale_after="1h", **settings)
        changed = organizations(api.url, plan.organizations, stale_after="2h", **settings)
        with exporter(served, config=config) as child:
            began = time.monotonic()
            starting = load(child.url, seconds=plan.starting, rate=_RATE, connections=1)
            child.wait_until_ready()
            ready = time.monotonic() - began
            refreshing, cpu, refreshed = _refreshing(plan, child)
            write_config(config, changed)
            child.process.send_signal(signal.SIGHUP)
            reloading = load(child.url, seconds=plan.starting, rate=_RATE, connections=1)
            child.wait_for(_RELOADED)
            page = _status_page(child)
            memory, size = child.memory("VmHWM"), len(child.metrics("gzip"))
            began = time.monotonic()
            child.process.terminate()
            child.process.wait(TIMEOUT)
            stopped = time.monotonic() - began
    for when, seen in (
        ("of the start", starting),
        ("of refreshes", refreshing),
        ("of a reload", reloading),
    ):
        yield Row(of, f"longest scrape {when}", [seen.most * 1000], "ms", within=SCRAPE_WITHIN)
    yield Row(of, "peak memory", [memory], "MiB", within=MEMORY_WITHIN)
    yield Row(of, "refreshed meanwhile", [refreshed], exactly=plan.organizations)
    for figure, value, unit in (
        ("until all are refreshed", ready, "s"),
        ("CPU of a refresh, with its share of scrapes", cpu * 1000, "ms"),
        ("size of a compressed scrape", size / 1e6, "MB"),
        ("status page", page, "s"),
        ("until it has stopped", stopped, "s"),
    ):
        yield Row(of, figure, [value], unit)


def _refreshing(plan: _Plan, child: Running) -> tuple[Load, float, int]:
    """Return the scrapes, the CPU seconds of a refresh, and the organizations refreshed."""
    began, before = time.time(), child.cpu()
    seen = load(child.url, seconds=plan.seconds, rate=_RATE, connections=1)
    refreshes = plan.organizations * plan.seconds / plan.interval
    return seen, (child.cpu() - before) / refreshes, refreshed_since(began, child)


def _status_page(child: Running) -> float:
    """Return the seconds that the status page takes."""
    began = time.monotonic()
    response = httpx.get(f"{child.url}/", timeout=TIMEOUT, trust_env=False)
    response.raise_for_status()
    return time.monotonic() - began
