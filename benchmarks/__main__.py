"""Measure, print a table and write it as JSON: see ``make bench``."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from benchmarks.machine import facts
from benchmarks.report import Glance, Row, as_json, missed, verdict
from benchmarks.tables import glance_table, table

if TYPE_CHECKING:
    from collections.abc import Sequence

SECTIONS = ("start", "scrape", "refresh", "many")
QUICK = ("start", "refresh")


def main() -> int:
    """Run the sections that the arguments name; 1 if a goal is missed and ``--check`` is given."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", choices=SECTIONS, help="One section. Default: all")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("build/bench.json"),
        help="Where to write the JSON. Default: %(default)s",
    )
    parser.add_argument("--check", action="store_true", help="Exit with 1 if a goal is missed.")
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"Small and once, to try the measuring itself; {' and '.join(QUICK)} alone can.",
    )
    options = parser.parse_args()
    sections = [options.only] if options.only else QUICK if options.quick else SECTIONS
    if options.quick and not set(sections) <= set(QUICK):
        parser.error(f"--quick is for {' and '.join(QUICK)}")
    about = facts()  # before the measurements, which take minutes: the tree may change
    rows: list[Row] = []
    glances: list[Glance] = []
    for name in sections:
        module = import_module(f"benchmarks.{name}")
        for found in module.rows(quick=options.quick):
            (glances if isinstance(found, Glance) else rows).append(found)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(as_json(rows, glances, about))
    console = Console()
    console.print(", ".join(f"{name} {value}" for name, value in about.items()), highlight=False)
    console.print(table(rows))
    if glances:
        console.print("", glance_table(glances))
    print(f"written to {options.output}", file=sys.stderr)
    return conclude(rows, check=options.check)


def conclude(rows: Sequence[Row], *, check: bool) -> int:
    """Say which goals are missed; return the exit code: 1 if one is and it was to be checked."""
    print(verdict(rows), file=sys.stderr)
    return int(check and bool(missed(rows)))


if __name__ == "__main__":
    sys.exit(main())
