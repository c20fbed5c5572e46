"""Measure, print one table and write it as JSON: see ``make bench``."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

from rich.console import Console

from benchmarks.report import Row, as_json, facts, table

SECTIONS = ("start", "scrape", "refresh", "many")
QUICK = ("start", "refresh")


def main() -> int:
    """Run the sections that the arguments name; 0, whether the goals are reached or not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", choices=SECTIONS, help="One section. Default: all")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("build/bench.json"),
        help="Where to write the JSON. Default: %(default)s",
    )
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
    for name in sections:
        module = import_module(f"benchmarks.{name}")
        rows += module.rows(quick=True) if options.quick else module.rows()
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(as_json(rows, about))
    console = Console()
    console.print(", ".join(f"{name} {value}" for name, value in about.items()), highlight=False)
    console.print(table(rows))
    print(f"written to {options.output}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
