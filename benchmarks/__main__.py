"""Run the benchmarks, print a table and write it as JSON: see ``make bench``."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from benchmarks.report import as_json, facts, missed, table, verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.report import Row

SECTIONS = ("start", "scrape", "web", "refresh", "many")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the selected sections. Return 1 if ``--check`` is given and a goal is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure what the exporter costs, print a table and write it as JSON. All"
        " sections take about seven minutes.",
    )
    parser.add_argument(
        "--only", choices=SECTIONS, help="Run one section, as `make bench ONLY=…`. Default: all"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("build/bench.json"),
        help="File for the JSON. Default: %(default)s",
    )
    parser.add_argument("--check", action="store_true", help="Exit with 1 if a goal is missed.")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="Measure small sizes once, to test the benchmarks. The figures mean nothing.",
    )
    options = parser.parse_args(arguments)
    sections = [options.only] if options.only else SECTIONS
    try:  # before the measurements, which take minutes
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.open("a").close()
    except OSError as error:
        parser.error(f"cannot write {options.output}: {error.strerror}")
    about = {**facts(), "sections": ", ".join(sections), "quick": options.quick}
    rows: list[Row] = []
    for name in sections:
        began = time.monotonic()
        found = import_module(f"benchmarks.{name}").rows(quick=options.quick)
        rows += [replace(row, section=name) for row in found]
        print(f"{name}: took {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    options.output.write_text(as_json(rows, about))
    console = Console()
    console.print(", ".join(f"{name} {value}" for name, value in about.items()), highlight=False)
    console.print(table(rows))
    print(f"written to {options.output}\n{verdict(rows)}", file=sys.stderr)
    return int(options.check and bool(missed(rows)))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted; nothing was written")
