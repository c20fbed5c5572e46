"""Measure, print a table and write it as JSON: see ``make bench``."""

from __future__ import annotations

import argparse
import sys
import time
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
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure what the exporter costs, print a table and write it as JSON. All of it"
        " takes about five minutes.",
    )
    parser.add_argument(
        "--only", choices=SECTIONS, help="One section, as `make bench ONLY=…`. Default: all"
    )
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
        help="Small and once, to try the measuring itself; the figures say nothing. Without --only:"
        f" {' and '.join(QUICK)}",
    )
    options = parser.parse_args()
    sections = [options.only] if options.only else QUICK if options.quick else SECTIONS
    try:  # before the measurements, which take minutes
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.open("a").close()
    except OSError as error:
        parser.error(f"cannot write {options.output}: {error.strerror}")
    # Before them, too, since the tree may change.
    about = {**facts(), "sections": ", ".join(sections), "quick": options.quick}
    rows: list[Row] = []
    glances: list[Glance] = []
    for name in sections:
        module, began = import_module(f"benchmarks.{name}"), time.monotonic()
        for found in module.rows(quick=options.quick):
            (glances if isinstance(found, Glance) else rows).append(found)
        print(f"{name}: took {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
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
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted; nothing was written")
