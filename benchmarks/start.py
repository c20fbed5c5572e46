"""How soon a new process is ready, and whether it imports modules that it does not need."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from benchmarks.processes import PYTHON, environment, exporter, organizations, upstream
from benchmarks.report import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

KEYS = 1_000
REPEATS = 5
READY_WITHIN = 1.0
"""Seconds until a process should be ready."""
OTHER_COMMANDS = (
    "exporter.simulator.",
    "exporter.cli.demo.",
    "exporter.cli.simulation.",
    "exporter.cli.report.",
)
"""Modules that only other commands than `run` need. structlog imports rich by itself."""


def rows(*, quick: bool = False) -> Iterator[Row]:
    """Yield the time until the exporter is ready, then the unneeded imports."""
    ready: list[float] = []
    bare: list[float] = []
    print("start", file=sys.stderr)
    with upstream(KEYS) as api:
        for _ in range(1 if quick else REPEATS):
            bare.append(_bare())
            began = time.perf_counter()
            with exporter(organizations(api.url)) as child:
                child.wait_until_ready()
                child.metrics()
                ready.append(time.perf_counter() - began)
        with exporter(
            organizations(api.url), python=("-X", "importtime", "-m", "exporter")
        ) as child:
            child.wait_until_ready()
            imported = re.findall(r"import time:.*\| +(\S+)", child.log.read_text())
    yield Row(
        f"{KEYS:,} keys",
        "until /metrics is ready",
        ready,
        "s",
        yardstick="python -c pass",
        beside=bare,
        within=READY_WITHIN,
    )
    unneeded = {name for name in imported if f"{name}.".startswith(OTHER_COMMANDS)}
    for name in sorted(unneeded):
        print(f"start: run imports {name} and does not need it", file=sys.stderr)
    yield Row("imports of run", "modules of other commands", [len(unneeded)], exactly=0)


def _bare() -> float:
    began = time.perf_counter()
    subprocess.run([PYTHON, "-c", "pass"], env=environment(), check=True)
    return time.perf_counter() - began
