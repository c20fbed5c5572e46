"""What was measured, for people and for programs."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.measure import Spread

_PACKAGES = ("uvicorn", "httpx", "prometheus-client", "msgspec")
_ROOT = Path(__file__).parents[1]
_WIDE = 1000  # from here on thousands are grouped and decimals say nothing


@dataclass(frozen=True)
class Row:
    """A figure beside its yardstick from the same run."""

    section: str
    figure: str
    value: Spread
    unit: str
    yardstick: str = ""
    """What it is compared with."""
    yardstick_value: Spread | None = None
    """In the same unit."""
    goal: str = ""
    reached: bool | None = None
    """None where there is no goal."""

    def ratio(self) -> float | None:
        """Return how many times the yardstick the median is."""
        if self.yardstick_value is None or not self.yardstick_value.median:
            return None
        return self.value.median / self.yardstick_value.median


def table(rows: Sequence[Row]) -> Table:
    """Return the rows as a table that fits 80 columns: the median, and below it the extremes."""
    shown = Table(title="benchmarks: median, and least…most below it")
    shown.add_column("figure")
    shown.add_column("value", justify="right", no_wrap=True)
    shown.add_column("yardstick", justify="right")
    shown.add_column("ratio", justify="right", no_wrap=True)
    shown.add_column("goal")
    for section, belonging in groupby(rows, key=lambda row: row.section):
        shown.add_section()
        shown.add_row(section.upper())
        for row in belonging:
            shown.add_row(*_cells(row))
    return shown


def _cells(row: Row) -> tuple[str, ...]:
    ratio = row.ratio()
    compared = _shown(row.yardstick_value, row.unit) if row.yardstick_value else ""
    return (
        row.figure,
        _shown(row.value, row.unit),
        f"{row.yardstick}\n{compared}".strip(),
        "" if ratio is None else f"{ratio:.2f}",
        f"{row.goal} {_MARKS[row.reached]}".strip(),
    )


_MARKS = {None: "", True: "✓", False: "✗"}


def _shown(value: Spread, unit: str) -> str:
    median = f"{_number(value.median)} {unit}".rstrip()
    if value.least == value.most:
        return median
    return f"{median}\n{_number(value.least)}…{_number(value.most)}"


def _number(value: float) -> str:
    """Return three significant digits, and all digits before the point."""
    if value == int(value) or abs(value) >= _WIDE:
        return f"{value:,.0f}"
    text = f"{value:.3g}"
    return f"{value:.4f}" if "e" in text else text


def as_json(rows: Sequence[Row], facts: Mapping[str, object]) -> str:
    """Return all of it as JSON: ``facts``, and ``rows`` with their fields and ``ratio``."""
    listed = [{**asdict(row), "ratio": row.ratio()} for row in rows]
    return json.dumps({"facts": facts, "rows": listed}, indent=2, ensure_ascii=False) + "\n"


def facts() -> dict[str, object]:
    """Return where and of what the figures are: machine, versions, commit and date."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": _of(Path("/proc/cpuinfo"), r"model name\s*:\s*(.+)") or platform.machine(),
        "memory_mib": int(_of(Path("/proc/meminfo"), r"MemTotal:\s*(\d+)") or 0) // 1024,
        "kernel": platform.release(),
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
        "commit": _commit(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _of(path: Path, pattern: str) -> str | None:
    match = re.search(pattern, path.read_text())
    return match[1].strip() if match else None


def _commit() -> str:
    """Return the commit, with -dirty where the tree differs from it; unknown outside of git."""
    command = ("git", "describe", "--always", "--abbrev=12", "--dirty", "--exclude=*")
    try:
        done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"
