"""What a process that refreshes and is scraped keeps in memory, from one refresh to the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx

from benchmarks.measure import configuration, exporter, spread
from benchmarks.report import TIMES, Row
from benchmarks.turns import PATIENT, REFRESHED

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 200.0
"""MiB, with 100,000 keys and 20,000 pairs."""
MOST_GROWTH = 1.05
"""Times the least resident memory of early refreshes."""
_EARLY, _LATE = slice(1, 5), slice(5, 10)
"""Refreshes 2 to 5 and 6 to 10: from the second on, an old inventory is there beside the new.

Their least is compared. From one refresh to the next the allocator keeps or gives back as much as a
sixth; the least of it did not rise in a run of forty refreshes.
"""
_PAIRS = "confluent_cloud_api_keys{"


@dataclass
class Memory:
    """Of one process; each list has an item per refresh, in MiB."""

    peaks: list[float] = field(default_factory=list)
    resident: list[float] = field(default_factory=list)
    series: int = 0
    """Pairs of owner and resource on its page."""


def remembered(url: str, refreshes: int) -> Memory:
    """Note the memory after each of so many refreshes, of a process that is scraped after each."""
    found = Memory()
    with (
        httpx.Client(trust_env=False) as client,
        exporter(configuration(url, **PATIENT)) as child,
    ):
        for number in range(refreshes):
            child.printed(REFRESHED, times=number + 1)
            page = client.get(f"{child.found}/metrics").raise_for_status().text
            found.peaks.append(child.peak_memory())
            found.resident.append(child.memory())
        found.series = page.count(f"\n{_PAIRS}")
    return found


def rows_of(found: Memory, *, section: str, keys: int, goal: bool) -> Iterator[Row]:
    """Yield the peaks after the first and the latest refresh, and what became of the rest."""
    of = f"memory, {keys:,} keys, {found.series:,} pairs"
    for number in (1, len(found.peaks)):
        peak = found.peaks[number - 1]
        yield Row(
            section=section,
            of=of,
            figure=f"peak, refresh {number}",
            value=spread([peak]),
            unit="MiB",
            goal=f"≤ {MOST:.0f} MiB" if goal else "",
            reached=peak <= MOST if goal else None,
        )
    if late := found.resident[_LATE]:
        early = spread(found.resident[_EARLY])
        yield Row(
            section=section,
            of=of,
            figure="resident, refreshes 6…10",
            value=spread(late),
            unit="MiB",
            yardstick="refreshes 2…5",
            yardstick_value=early,
            goal=f"least ≤ {MOST_GROWTH} {TIMES}",
            reached=min(late) <= MOST_GROWTH * early.least,
        )
