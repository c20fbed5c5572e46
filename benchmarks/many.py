"""Many organizations in one process: the memory of each, and whether they delay scrapes.

Each repeat is a new process for each number of organizations. It refreshes all of them repeatedly
while it is scraped. "Longest" is the worst within one repeat. The median over the repeats is
judged, because a shared machine stalls every process now and then. The largest number is measured
once, in :mod:`benchmarks.thousand`.

The watch on the event loop (:mod:`benchmarks.lag`) is part of the process and of its figures.
"""

from __future__ import annotations

import json
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import thousand
from benchmarks.lag import VARIABLE, Longest
from benchmarks.processes import exporter, load, organizations, refreshed_since, upstream
from benchmarks.report import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.processes import Running

KEYS = 500
REPEATS = 3
MOST_MEMORY = 1.5
"""MiB for each organization."""
SCRAPE_WITHIN, BLOCK_WITHIN = 100.0, 50.0
"""Milliseconds."""
_RATE = 50.0  # scrapes per second


@dataclass(frozen=True)
class _Plan:
    """How one number of organizations is measured."""

    organizations: int
    interval: int
    """``refresh_interval`` in seconds."""
    seconds: float
    """Duration of the scraping; longer than the interval, so that every organization refreshes."""


_PLANS = (_Plan(1, 1, 2.2), _Plan(200, 8, 11.0))
_QUICK = (_Plan(1, 1, 1.2), _Plan(3, 1, 1.2))


@dataclass(frozen=True)
class _Seen:
    """One process with many organizations."""

    memory: float
    """MiB, after refreshes and scrapes."""
    longest_scrape: float
    """Seconds."""
    blocked: Longest
    refreshed: int
    """Organizations that were refreshed during the scraping."""


def rows(*, quick: bool = False) -> Iterator[Row]:
    """Measure each number of organizations, in turns."""
    plans, keys, repeats = (_QUICK, 50, 1) if quick else (_PLANS, KEYS, REPEATS)
    seen: dict[int, list[_Seen]] = {plan.organizations: [] for plan in plans}
    with upstream(keys, max(seen)) as api:
        for repeat in range(1, repeats + 1):
            print(f"many: {repeat} of {repeats}", file=sys.stderr, flush=True)
            for plan in plans:
                seen[plan.organizations].append(_see(plan, api))
    few, most = min(seen), max(seen)
    memory = [
        (large.memory - small.memory) / (most - few)
        for small, large in zip(seen[few], seen[most], strict=True)
    ]
    yield Row(
        f"one more organization of {keys} keys, {few} to {most}",
        "memory",
        memory,
        "MiB",
        within=MOST_MEMORY,
    )
    for number, repeated in seen.items():
        of = f"{number} organizations" if number > 1 else "1 organization"
        for figure, longest, within in (
            ("longest scrape", [each.longest_scrape for each in repeated], SCRAPE_WITHIN),
            ("longest block of the loop", [each.blocked.steady for each in repeated], BLOCK_WITHIN),
            ("the same since the start", [each.blocked.overall for each in repeated], BLOCK_WITHIN),
        ):
            values = [each * 1000 for each in longest]
            yield Row(of, figure, values, "ms", within=within)
        refreshed = [each.refreshed for each in repeated]
        yield Row(of, "refreshed meanwhile", refreshed, exactly=number)
    yield from thousand.rows(quick=quick)


def _see(plan: _Plan, api: Running) -> _Seen:
    with tempfile.TemporaryDirectory() as folder:
        lag = Path(folder, "lag")
        with exporter(
            organizations(
                api.url,
                plan.organizations,
                refresh_interval=f"{plan.interval}s",
                refresh_timeout="1m",
                stale_after="1h",
            ),
            python=("-m", "benchmarks.lag"),
            env={VARIABLE: str(lag)},
        ) as child:
            child.wait_until_ready()
            child.process.send_signal(signal.SIGUSR1)
            began = time.time()
            scraped = load(child.url, seconds=plan.seconds, rate=_RATE)
            memory = child.memory()
            refreshed = refreshed_since(began, child)
        blocked = Longest(**json.loads(lag.read_text()))
    return _Seen(memory, scraped.most, blocked, refreshed)
