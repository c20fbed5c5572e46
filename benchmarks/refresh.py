"""What a refresh costs the running process, beside bare loops over the same pages.

The exporter and the loops are measured in turns: one of its refreshes, then, while it is paused,
one walk of each loop. Most refreshes find unchanged pages. After keys were created and deleted on
the first page, every page differs, and all keys are counted and judged again (see
:mod:`benchmarks.upstream`). Each has a goal of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.fetch import PAGE
from benchmarks.processes import PYTHON, environment, exporter, organizations, upstream
from benchmarks.report import Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.processes import Running

SIZES, QUICK_SIZES = (1_000, 10_000, 100_000), (200,)
TURNS = 3
MOST_CPU = 1.5
"""Times the bare loop, with the most keys."""
MOST_CPU_CHANGED = 2.0
"""The same after keys were created and deleted."""
MOST_SLOPE = 1.25
"""Times the cost of a further key among fewer keys. More is not linear."""
MOST_MEMORY = 200.0
"""MiB, with 100,000 keys and 20,000 pairs."""
MOST_GROWTH = 1.05
"""Times the least resident memory of early refreshes."""
REFRESHES = 10
"""Refreshes after which memory should not have grown."""
_EARLY, _LATE = slice(1, 5), slice(5, 10)
"""Refreshes 2 to 5 and 6 to 10. Only the first one has no previous inventory in memory.

The least of each is compared: between refreshes, the allocator keeps or returns up to a sixth.
"""
_REFRESHED = r"msg=refreshed .*collector=api_keys .*requests=(\d+) seconds=([\d.]+)$"
_SETTINGS: dict[str, Any] = {
    "refresh_interval": "1s",
    "refresh_timeout": "10m",
    "request_timeout": "5m",  # a request may be in flight while the process is paused
    "stale_after": "20m",
}


@dataclass
class Turns:
    """Measurements of one size; each list has one item per turn. Times in seconds."""

    keys: int
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    requests: list[float] = field(default_factory=list)
    fetch: list[dict[str, float]] = field(default_factory=list)
    """``wall`` and ``cpu`` of the loop that drops the pages."""
    parse: list[dict[str, float]] = field(default_factory=list)
    """The same of the loop that parses them."""


def rows(*, quick: bool = False) -> Iterator[Row]:
    """Yield the figures of each size, the slopes between sizes, and the memory."""
    sizes, turns = (QUICK_SIZES, 1) if quick else (SIZES, TURNS)
    found: list[Turns] = []
    for keys in sizes:
        print(f"refresh: {keys:,} keys", file=sys.stderr, flush=True)
        with upstream(keys) as api:
            found.append(_turns(keys, api, turns))
            most = MOST_CPU if keys == SIZES[-1] else None
            yield from _of_size(found[-1], of=f"{keys:,} keys", most=most)
            if keys == sizes[-1]:
                yield from _memory(api, keys, refreshes=1 if quick else REFRESHES)
    of = f"{keys:,} keys, keys created and deleted"
    print(f"refresh: {of}", file=sys.stderr, flush=True)
    with upstream(keys, churning=True) as api:
        most = MOST_CPU_CHANGED if keys == SIZES[-1] else None
        yield from _of_size(_turns(keys, api, turns), of=of, most=most)
    for name, seconds in (
        ("wall", [each.wall for each in found]),
        ("CPU", [each.cpu for each in found]),
    ):
        yield from slopes(name, sizes, seconds)


def _turns(keys: int, api: Running, turns: int) -> Turns:
    found = Turns(keys)
    with exporter(organizations(api.url, **_SETTINGS)) as child:
        for turn in range(turns):
            # Every other refresh is not measured: the first, and those that a pause interrupted.
            child.wait_for(_REFRESHED, count=2 * turn + 1)
            before = child.cpu()
            refreshed = child.wait_for(_REFRESHED, count=2 * turn + 2)
            found.cpu.append(child.cpu() - before)
            found.requests.append(float(refreshed[1]))
            found.wall.append(float(refreshed[2]))
            with child.paused():
                found.fetch.append(_loop(api.url))
                found.parse.append(_loop(api.url, "--parse"))
    return found


def _loop(url: str, *arguments: str) -> dict[str, float]:
    command = (PYTHON, "-m", "benchmarks.fetch", url, *arguments)
    done = subprocess.run(command, env=environment(), stdout=subprocess.PIPE, check=True)
    return dict(json.loads(done.stdout))


def _of_size(found: Turns, *, of: str, most: float | None = None) -> Iterator[Row]:
    for figure, own, yardstick, loops, goal in (
        ("wall", found.wall, "bare httpx loop", found.fetch, None),
        ("CPU", found.cpu, "bare httpx loop", found.fetch, most),
        ("CPU", found.cpu, "json.loads loop", found.parse, None),
    ):
        yield Row(
            of,
            figure,
            own,
            "s",
            yardstick=yardstick,
            beside=[loop[figure.lower()] for loop in loops],
            most=goal,
        )
    yield Row(of, "requests", found.requests, exactly=ceil(found.keys / PAGE))


def slopes(name: str, sizes: Sequence[int], seconds: Sequence[Sequence[float]]) -> Iterator[Row]:
    """Yield the cost of each further key between two sizes, beside that between smaller sizes."""
    yardstick, beside = "", 0.0
    for (small, few), (large, many) in pairwise(zip(sizes, seconds, strict=True)):
        found = [1e6 * (b - a) / (large - small) for a, b in zip(few, many, strict=True)]
        between = f"{small:,}…{large:,} keys"
        yield Row(
            "each further key",
            f"{name}, {between}",
            found,
            "µs",
            yardstick=yardstick,
            # The median, because the sizes were not measured in turns.
            beside=[beside] * len(found) if yardstick else (),
            most=MOST_SLOPE if yardstick else None,
        )
        yardstick, beside = between, median(found)


def _memory(api: Running, keys: int, *, refreshes: int) -> Iterator[Row]:
    """Yield the memory of a process that is scraped after each refresh."""
    peaks: list[float] = []
    resident: list[float] = []
    with exporter(organizations(api.url, **_SETTINGS)) as child:
        for number in range(refreshes):
            child.wait_for(_REFRESHED, count=number + 1)
            page = child.metrics()
            peaks.append(child.memory("VmHWM"))
            resident.append(child.memory())
    pairs = page.count(b"\nconfluent_cloud_api_keys{")
    of = f"memory, {keys:,} keys, {pairs:,} pairs"
    for number in sorted({1, refreshes}):
        yield Row(of, f"peak, refresh {number}", [peaks[number - 1]], "MiB", within=MOST_MEMORY)
    if late := resident[_LATE]:
        yield Row(
            of,
            "least, refreshes 6…10",
            [min(late)],
            "MiB",
            yardstick="refreshes 2…5",
            beside=[min(resident[_EARLY])],
            most=MOST_GROWTH,
        )
