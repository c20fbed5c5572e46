"""What a refresh costs the running process, beside bare loops over the same pages.

The goal is for pages that are still the same, as those of most organizations are from one refresh
to the next. What it costs after keys were created and deleted is shown besides, where that costs
most: every page begins and ends with other keys than before (see :mod:`benchmarks.churning`), so
that all of them are decoded, counted and judged again.
"""

from __future__ import annotations

import sys
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING

from benchmarks.measure import Spread, spread, upstream
from benchmarks.memory import remembered, rows_of
from benchmarks.report import TIMES, Row, paired
from benchmarks.turns import Turns, measured

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SECTION = "refresh"
SIZES = (1_000, 10_000, 100_000)
QUICK_SIZES = (200, 1_000)
TURNS = 3
PAGE = 100
"""Keys per request."""
MOST_CPU = 1.5
"""Times the bare loop, with the most keys."""
MOST_BENT = 1.25
"""Times the cost of a further key among fewer keys; more is not linear."""
LATEST = 10
"""Refreshes after which memory should not have grown."""
QUICK_LATEST = 2
_BARE, _LOADS = "bare httpx loop", "json.loads loop"


def rows(*, quick: bool = False) -> Iterator[Row]:
    """Yield the figures of every size, those between sizes, and those of the memory."""
    sizes, turns = (QUICK_SIZES, 1) if quick else (SIZES, TURNS)
    found: list[Turns] = []
    for keys in sizes:
        with upstream(keys) as simulator:
            print(f"refresh: {keys:,} keys", file=sys.stderr)
            found.append(measured(keys, simulator, turns=turns))
            yield from _of_size(found[-1], of=f"{keys:,} keys", goal=keys == SIZES[-1])
            if keys == sizes[-1]:
                print(f"refresh: memory, {keys:,} keys", file=sys.stderr)
                memory = remembered(simulator.found, QUICK_LATEST if quick else LATEST)
    of = f"{sizes[-1]:,} keys, keys created and deleted"
    print(f"refresh: {of}", file=sys.stderr)
    with upstream(sizes[-1], churning=True) as simulator:
        churned = measured(sizes[-1], simulator, turns=turns)
    yield from _of_size(churned, of=of, goal=False)
    yield from _slopes(found)
    yield from rows_of(memory, section=SECTION, keys=sizes[-1], goal=not quick)


def _of_size(found: Turns, *, of: str, goal: bool) -> Iterator[Row]:
    for figure, own, yardstick, theirs, most in (
        ("wall", found.wall, _BARE, _each(found.bare, "wall"), None),
        ("CPU", found.cpu, _BARE, _each(found.bare, "cpu"), MOST_CPU if goal else None),
        ("CPU", found.cpu, _LOADS, _each(found.loads, "cpu"), None),
        ("CPU of the simulator", found.simulator, "the exporter's", found.cpu, None),
    ):
        yield paired(
            section=SECTION,
            of=of,
            figure=figure,
            own=own,
            yardstick=yardstick,
            theirs=theirs,
            unit="s",
            most=most,
        )
    needed = float(ceil(found.keys / PAGE))
    yield Row(
        section=SECTION,
        of=of,
        figure="requests",
        value=spread(found.requests),
        yardstick=f"keys ÷ {PAGE}",
        yardstick_value=spread([needed]),
        goal="equal",
        reached=set(found.requests) == {needed},
    )


def _each(loops: Sequence[dict[str, float]], name: str) -> list[float]:
    return [loop[name] for loop in loops]


def _slopes(found: Sequence[Turns]) -> Iterator[Row]:
    """Yield what each further key costs between two sizes, beside the sizes before."""
    for name in ("wall", "CPU"):
        before: tuple[str, Spread] | None = None
        for small, large in pairwise(found):
            both = zip(*((_seconds(each, name)) for each in (small, large)), strict=True)
            between = f"{small.keys:,}…{large.keys:,} keys"
            slope = spread(1e6 * (b - a) / (large.keys - small.keys) for a, b in both)
            linear = before and slope.median <= MOST_BENT * before[1].median
            yield Row(
                section=SECTION,
                of="each further key",
                figure=f"{name}, {between}",
                value=slope,
                unit="µs",
                yardstick=before[0] if before else "",
                yardstick_value=before[1] if before else None,
                goal=f"≤ {MOST_BENT} {TIMES}" if before else "",
                reached=bool(linear) if before else None,
            )
            before = between, slope


def _seconds(found: Turns, name: str) -> list[float]:
    return found.wall if name == "wall" else found.cpu
