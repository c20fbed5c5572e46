"""Measured figures beside their yardsticks and goals, as a table and as JSON."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from dataclasses import KW_ONLY, asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import JustifyMethod, RenderableType

TIMES = "\N{MULTIPLICATION SIGN}"
_PACKAGES = ("uvicorn", "httpx", "prometheus-client", "msgspec")
_COLUMNS = {"figure": 25, "value": 13, "yardstick": 13, "ratio": 10, "goal": 11}
"""Column widths. With two spaces between columns, the table fits 80 columns."""
_NUMBERS = ("value", "yardstick", "ratio")
_MARKS = {None: "", True: "✓", False: "✗"}
_WIDE = 1000  # from here on, thousands are grouped and decimals omitted
_SHORT = 0.1  # seconds; less is shown in milliseconds


@dataclass(frozen=True)
class Row:
    """A figure beside its yardstick from the same run.

    The values and those of the yardstick have one item per repeat. Both had the same machine in the
    same repeat, so their ratio is more reliable than either.
    """

    of: str
    """Size or state. Consecutive rows with the same one share a heading."""
    figure: str
    values: Sequence[float]
    unit: str = ""
    _: KW_ONLY
    section: str = ""
    """Set by ``python -m benchmarks``."""
    yardstick: str = ""
    beside: Sequence[float] = ()
    """The values of the yardstick, in the same unit."""
    within: float | None = None
    """Goal: the largest median."""
    most: float | None = None
    """Goal: the largest median ratio."""
    least: float | None = None
    """Goal: the smallest median ratio."""
    more: float | None = None
    """Goal: the largest median difference to the yardstick."""
    exactly: float | None = None
    """Goal: every value."""

    @property
    def name(self) -> str:
        """The figure and its yardstick."""
        return f"{self.figure} beside {self.yardstick}" if self.yardstick else self.figure

    @property
    def ratios(self) -> list[float]:
        """The values divided by those of the yardstick."""
        return [a / b for a, b in zip(self.values, self.beside, strict=True)] if self.beside else []

    @property
    def differences(self) -> list[float]:
        """The values without those of the yardstick."""
        return [a - b for a, b in zip(self.values, self.beside, strict=True)]

    @property
    def goal(self) -> str:
        """The goal in words, or an empty string."""
        if self.within is not None:
            return f"≤ {self.within:g} {self.unit}"
        if self.most is not None:
            return f"≤ {self.most:g} {TIMES}"
        if self.least is not None:
            return f"≥ {self.least:g} {TIMES}"
        if self.more is not None:
            return f"≤ {self.more:g} {self.unit} more"
        return "" if self.exactly is None else f"= {self.exactly:,g}"

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; None without a goal."""
        if self.within is not None:
            return median(self.values) <= self.within
        if self.most is not None:
            return median(self.ratios) <= self.most
        if self.least is not None:
            return median(self.ratios) >= self.least
        if self.more is not None:
            return median(self.differences) <= self.more
        return None if self.exactly is None else set(self.values) == {self.exactly}


def missed(rows: Iterable[Row]) -> list[Row]:
    """Return the rows whose goal is not reached."""
    return [row for row in rows if row.reached is False]


def verdict(rows: Sequence[Row]) -> str:
    """Return one line for each missed goal, or one line if every goal is reached."""
    lines = [f"missed: {row.section}, {row.of}, {row.name}: {row.goal}" for row in missed(rows)]
    goals = sum(row.reached is not None for row in rows)
    return "\n".join(lines) or f"all {goals} goals are reached"


def as_json(rows: Iterable[Row], about: Mapping[str, object]) -> str:
    """Return ``rows`` and the facts in ``about`` as a JSON document."""
    found = [
        {**asdict(row), "ratios": row.ratios, "goal": row.goal, "reached": row.reached}
        for row in rows
    ]
    return json.dumps({"facts": about, "rows": found}, indent=2, ensure_ascii=False) + "\n"


def facts() -> dict[str, object]:
    """Return the machine, the versions, the commit and the date."""
    git = ("git", "describe", "--always", "--abbrev=12", "--dirty", "--exclude=*")
    try:
        described = subprocess.run(
            git, cwd=Path(__file__).parent, capture_output=True, text=True, check=False
        ).stdout.strip()
    except OSError:
        described = ""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": _in_file("/proc/cpuinfo", r"model name\s*:\s*(.+)") or platform.machine(),
        "memory_mib": int(_in_file("/proc/meminfo", r"MemTotal:\s*(\d+)") or 0) // 1024,
        "kernel": platform.release(),
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
        "commit": described or "unknown",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _in_file(path: str, pattern: str) -> str | None:
    match = re.search(pattern, Path(path).read_text())
    return match[1].strip() if match else None


def table(rows: Iterable[Row]) -> Group:
    """Return the rows for a terminal: medians, and the extremes below them."""
    head = [(*_COLUMNS,), (" beside its yardstick", *["least…most"] * len(_NUMBERS))]
    parts: list[RenderableType] = [_grid(head, style="dim")]
    for (section, of), group in groupby(rows, key=lambda row: (row.section, row.of)):
        parts += ["", Text(f"{section.upper()}: {of}", style="bold"), _grid(map(_cells, group))]
    return Group(*parts)


def _grid(rows: Iterable[tuple[str, ...]], style: str = "") -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    for name, width in _COLUMNS.items():
        justify: JustifyMethod = "right" if name in _NUMBERS else "left"
        grid.add_column(width=width, justify=justify, overflow="fold")  # nothing is cut off
    for row in rows:
        grid.add_row(*row, style=style)
    return grid


def _cells(row: Row) -> tuple[str, ...]:
    small = row.unit == "s" and median(row.values) < _SHORT
    factor, unit = (1000, "ms") if small else (1, row.unit)
    return (
        row.name.replace(" beside ", "\n beside "),
        _spread([each * factor for each in row.values], unit),
        _spread([each * factor for each in row.beside], unit),
        _spread([round(each, 2) for each in row.ratios]),
        f"{row.goal} {_MARKS[row.reached]}".strip(),
    )


def _spread(values: Sequence[float], unit: str = "") -> str:
    """Return the median and, if they differ, the extremes below it."""
    if not values:
        return ""
    extremes = f"\n{_number(min(values))}…{_number(max(values))}" if len(set(values)) > 1 else ""
    return f"{_number(median(values))} {unit}".rstrip() + extremes


def _number(value: float) -> str:
    """Return three significant digits, and all digits before the decimal point."""
    if value == int(value) or abs(value) >= _WIDE:
        return f"{value:,.0f}"
    text = f"{value:.3g}"
    return f"{value:.4f}" if "e" in text else text
