"""What a refresh costs the running process, beside bare loops over the same pages.

The exporter refreshes each second, or back to back where that is too short. Each pair is one of its
refreshes and, while it is paused, one walk of each loop. The pages stay as they are, as those of
most organizations do; what it costs when every one of them is new is measured once more.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING, Any

import httpx

from benchmarks.measure import (
    PYTHON,
    ROOT,
    Running,
    Spread,
    configuration,
    environment,
    exporter,
    spread,
    upstream,
)
from benchmarks.report import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

SECTION = "refresh"
SIZES = (1_000, 10_000, 100_000)
QUICK_SIZES = (200, 1_000)
PAIRS = 3
PAGE = 100
"""Keys per request."""
MOST_CPU = 1.5
"""Times the bare loop, with the most keys."""
MOST_MEMORY = 200.0
"""MiB, with 20,000 pairs."""
MOST_GROWTH = 1.05
"""Times the least resident memory of early refreshes."""
MOST_BENT = 1.25
"""Times the cost of a further key among fewer keys; more is not linear."""
LATEST = 10
"""Refreshes after which memory should not have grown."""
QUICK_LATEST = 2
_EARLY, _LATE = slice(1, 5), slice(5, 10)
"""Refreshes 2 to 5 and 6 to 10: from the second on, an old inventory is there beside the new.

Their least is compared. From one refresh to the next the allocator keeps or gives back as much as a
sixth; the least of it did not rise in a run of forty refreshes.
"""
_PAIRS = "confluent_cloud_api_keys{"
_REFRESHED = r"msg=refreshed .*collector=api_keys .*requests=(\d+) seconds=([\d.]+)\n"
_PATIENT: dict[str, Any] = {
    "refresh_interval": "1s",
    "refresh_timeout": "10m",
    "request_timeout": "5m",  # a request may be under way when the process is paused
    "stale_after": "20m",
}


@dataclass
class _Measured:
    """Of one size; each list has an item per pair, in the order they were measured."""

    keys: int
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    simulator: list[float] = field(default_factory=list)
    requests: list[float] = field(default_factory=list)
    bare: list[dict[str, float]] = field(default_factory=list)
    loads: list[dict[str, float]] = field(default_factory=list)


@dataclass
class _Memory:
    """Of one process; each list has an item per refresh, in MiB."""

    peaks: list[float] = field(default_factory=list)
    resident: list[float] = field(default_factory=list)
    series: int = 0
    """Pairs of owner and resource on its page."""


def rows(*, quick: bool = False) -> Iterator[Row]:
    """Yield the figures of every size, those between sizes, and those of the memory."""
    sizes, pairs = (QUICK_SIZES, 1) if quick else (SIZES, PAIRS)
    measured: list[_Measured] = []
    for keys in sizes:
        with upstream(keys) as simulator:
            print(f"refresh: {keys:,} keys", file=sys.stderr)
            measured.append(_measure(keys, simulator, pairs=pairs))
            yield from _of_size(measured[-1], goal=keys == SIZES[-1])
            if keys == sizes[-1]:
                print(f"refresh: memory, {keys:,} keys", file=sys.stderr)
                memory = _remember(simulator.found, QUICK_LATEST if quick else LATEST)
    print(f"refresh: {sizes[-1]:,} keys, no page as it was", file=sys.stderr)
    with upstream(sizes[-1], changing=True) as simulator:
        changed = _measure(sizes[-1], simulator, pairs=pairs)
    times = spread(own / loop["cpu"] for own, loop in zip(changed.cpu, changed.bare, strict=True))
    yield Row(
        SECTION,
        f"CPU, {sizes[-1]:,} keys, no page as it was",
        spread(changed.cpu),
        "s",
        "bare httpx loop",
        spread(each["cpu"] for each in changed.bare),
        goal=f"≤ {MOST_CPU} times" if not quick else "",
        reached=times.median <= MOST_CPU if not quick else None,
    )
    yield from _slopes(measured)
    yield from _of_memory(memory, keys=sizes[-1], goal=not quick)


def _measure(keys: int, simulator: Running, *, pairs: int) -> _Measured:
    """Measure so many pairs."""
    found, refreshes = _Measured(keys), 0
    with exporter(configuration(simulator.found, **_PATIENT)) as child:
        for _ in range(pairs):
            # The one before was the first, with what is done only once, or held up by the pause.
            child.printed(_REFRESHED, times=refreshes + 1)
            before = child.cpu(), simulator.cpu()
            refreshes += 2
            line = child.printed(_REFRESHED, times=refreshes)
            after = child.cpu(), simulator.cpu()
            found.cpu.append(after[0] - before[0])
            found.simulator.append(after[1] - before[1])
            found.requests.append(float(line[1]))
            found.wall.append(float(line[2]))
            with child.paused():
                found.bare.append(_loop(simulator.found))
                found.loads.append(_loop(simulator.found, "--json"))
    return found


def _remember(url: str, refreshes: int) -> _Memory:
    """Note the memory after each of so many refreshes, of a process that is scraped after each."""
    found = _Memory()
    with (
        httpx.Client(trust_env=False) as client,
        exporter(configuration(url, **_PATIENT)) as child,
    ):
        for number in range(refreshes):
            child.printed(_REFRESHED, times=number + 1)
            page = client.get(f"{child.found}/metrics").raise_for_status().text
            found.peaks.append(child.peak_memory())
            found.resident.append(child.memory())
        found.series = page.count(f"\n{_PAIRS}")
    return found


def _loop(url: str, *arguments: str) -> dict[str, float]:
    done = subprocess.run(
        [PYTHON, "-m", "benchmarks.fetch", url, *arguments],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        check=True,
    )
    return {name: float(value) for name, value in json.loads(done.stdout).items()}


def _of_size(found: _Measured, *, goal: bool) -> Iterator[Row]:
    size = f"{found.keys:,} keys"
    cpu = spread(found.cpu)
    bare = spread(each["cpu"] for each in found.bare)
    loads = spread(each["cpu"] for each in found.loads)
    times = spread(own / loop["cpu"] for own, loop in zip(found.cpu, found.bare, strict=True))
    yield Row(
        SECTION,
        f"wall, {size}",
        spread(found.wall),
        "s",
        "bare httpx loop",
        spread(each["wall"] for each in found.bare),
    )
    yield Row(SECTION, f"CPU, {size}", cpu, "s", "bare httpx loop", bare)
    yield Row(SECTION, f"CPU, {size}", cpu, "s", "loop with json.loads", loads)
    yield Row(
        SECTION,
        f"CPU over the bare loop, in pairs, {size}",
        times,
        "times",
        goal=f"≤ {MOST_CPU}" if goal else "",
        reached=times.median <= MOST_CPU if goal else None,
    )
    yield Row(
        SECTION,
        f"CPU of the simulator, besides, {size}",
        spread(found.simulator),
        "s",
        "the exporter's",
        cpu,
    )
    needed = float(ceil(found.keys / PAGE))
    yield Row(
        SECTION,
        f"requests, {size}",
        spread(found.requests),
        "",
        f"keys ÷ {PAGE}",
        Spread(needed, needed, needed),
        goal="equal",
        reached=set(found.requests) == {needed},
    )


def _slopes(measured: list[_Measured]) -> Iterator[Row]:
    """Yield what each further key costs between two sizes, beside the sizes before."""
    for name in ("wall", "CPU"):
        before: tuple[str, Spread] | None = None
        for small, large in pairwise(measured):
            pairs = zip(*((_seconds(each, name)) for each in (small, large)), strict=True)
            between = f"{small.keys:,} to {large.keys:,}"
            slope = spread(1e6 * (b - a) / (large.keys - small.keys) for a, b in pairs)
            linear = before and slope.median <= MOST_BENT * before[1].median
            yield Row(
                SECTION,
                f"{name} per further key, {between} keys",
                slope,
                "µs",
                f"{before[0]} keys" if before else "",
                before[1] if before else None,
                goal=f"linear: ≤ {MOST_BENT} times" if before else "",
                reached=bool(linear) if before else None,
            )
            before = between, slope


def _seconds(found: _Measured, name: str) -> list[float]:
    return found.wall if name == "wall" else found.cpu


def _of_memory(found: _Memory, *, keys: int, goal: bool) -> Iterator[Row]:
    held = f"{keys:,} keys, {found.series:,} pairs"
    for number in (1, len(found.peaks)):
        peak = found.peaks[number - 1]
        yield Row(
            SECTION,
            f"peak memory, {held}, refresh {number}",
            spread([peak]),
            "MiB",
            goal=f"≤ {MOST_MEMORY:.0f} MiB" if goal else "",
            reached=peak <= MOST_MEMORY if goal else None,
        )
    if late := found.resident[_LATE]:
        early = spread(found.resident[_EARLY])
        yield Row(
            SECTION,
            f"resident memory, {held}, refreshes 6 to 10",
            spread(late),
            "MiB",
            "refreshes 2 to 5",
            early,
            goal=f"least ≤ {MOST_GROWTH} times",
            reached=min(late) <= MOST_GROWTH * early.least,
        )
