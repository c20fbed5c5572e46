"""What was measured, for people: it fits 80 columns, also where no terminal says its width."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rich.console import JustifyMethod, RenderableType

    from benchmarks.measure import Spread
    from benchmarks.report import Glance, Row

_COLUMNS = {"figure": 25, "value": 13, "yardstick": 13, "ratio": 10, "goal": 11}
"""Their widths; two blanks are between them."""
_NUMBERS = ("value", "yardstick", "ratio")
_MARKS = {None: "", True: "✓", False: "✗"}
_WIDE = 1000  # from here on thousands are grouped and decimals say nothing
_LARGE = 10  # times; from here on two decimals say nothing and do not fit
_SHORT = 0.1  # seconds; less is shown in milliseconds


def table(rows: Sequence[Row]) -> Group:
    """Return the rows: the medians, and least…most below them."""
    head = [(*_COLUMNS,), (" beside its yardstick", *["least…most"] * len(_NUMBERS))]
    parts: list[RenderableType] = [_grid(head, style="dim")]
    for (section, of), belonging in groupby(rows, key=lambda row: (row.section, row.of)):
        heading = f"{section.upper()}: {of}" if of else section.upper()
        parts += ["", Text(heading, style="bold"), _grid(map(_cells, belonging))]
    return Group(*parts)


def glance_table(glances: Sequence[Glance]) -> Table:
    """Return a line for each, the milliseconds and kilobytes of one scrape among them."""
    shown = Table(
        title="scrapes at a glance: each measured once",
        box=None,
        title_justify="left",
        pad_edge=False,
    )
    for name in ("state", "encoding", "series", "scrapers", "per s", "p50 ms", "p99 ms", "kB"):
        shown.add_column(name, justify="left" if name in {"state", "encoding"} else "right")
    for each in glances:
        shown.add_row(
            each.state,
            each.encoding,
            f"{each.series:,}",
            str(each.scrapers),
            _number(each.requests_per_second),
            _number(each.p50_seconds * 1000),
            _number(each.p99_seconds * 1000),
            f"{each.bytes / 1000:,.0f}",
        )
    return shown


def _grid(rows: Iterable[tuple[str, ...]], style: str = "") -> Table:
    """Return a part of the table; all parts have the same columns."""
    grid = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    for name, width in _COLUMNS.items():
        justify: JustifyMethod = "right" if name in _NUMBERS else "left"
        # Folded rather than cut: a figure that is too long for its column is still a figure.
        grid.add_column(width=width, justify=justify, overflow="fold")
    for row in rows:
        grid.add_row(*row, style=style)
    return grid


def _cells(row: Row) -> tuple[str, ...]:
    ratio = row.ratio()
    return (
        f"{row.figure}\n beside {row.yardstick}" if row.yardstick else row.figure,
        _shown(row.value, row.unit),
        _shown(row.yardstick_value, row.unit) if row.yardstick_value else "",
        "" if ratio is None else "\n".join([_ratio(ratio), *_extremes(row.ratios, _ratio)]),
        f"{row.goal} {_MARKS[row.reached]}".strip(),
    )


def _shown(value: Spread, unit: str) -> str:
    factor = 1
    if unit == "s" and value.median < _SHORT:
        factor, unit = 1000, "ms"
    median = f"{_number(value.median * factor)} {unit}".rstrip()
    return "\n".join([median, *_extremes(value, lambda each: _number(each * factor))])


def _extremes(value: Spread | None, show: Callable[[float], str]) -> list[str]:
    """Return the line below the median, if there is something to tell."""
    if value is None or value.least == value.most:
        return []
    return [f"{show(value.least)}…{show(value.most)}"]


def _ratio(value: float) -> str:
    return f"{value:.2f}" if value < _LARGE else _number(value)


def _number(value: float) -> str:
    """Return three significant digits, and all digits before the point."""
    if value == int(value) or abs(value) >= _WIDE:
        return f"{value:,.0f}"
    text = f"{value:.3g}"
    return f"{value:.4f}" if "e" in text else text
