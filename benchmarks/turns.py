"""The exporter and bare loops in turns: a refresh, then, while it is paused, the same pages bare.

The exporter refreshes each second, or back to back where that is too short. Each turn is one of its
refreshes, whose time and CPU are read from the log and the kernel, and one walk of each loop.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.measure import PYTHON, ROOT, configuration, environment, exporter

if TYPE_CHECKING:
    from benchmarks.measure import Running

REFRESHED = r"msg=refreshed .*collector=api_keys .*requests=(\d+) seconds=([\d.]+)\n"
"""What the exporter logs after each refresh: its requests and its seconds."""
PATIENT: dict[str, Any] = {
    "refresh_interval": "1s",
    "refresh_timeout": "10m",
    "request_timeout": "5m",  # a request may be under way when the process is paused
    "stale_after": "20m",
}
"""Settings of an exporter that is measured: it is to refresh often, and to give up nothing."""


@dataclass
class Turns:
    """Of one size; each list has an item per turn, in the order they were measured. Seconds."""

    keys: int
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    simulator: list[float] = field(default_factory=list)
    """CPU of the upstream during the refresh."""
    requests: list[float] = field(default_factory=list)
    bare: list[dict[str, float]] = field(default_factory=list)
    """``wall``, ``cpu`` and ``requests`` of the loop that drops what it gets."""
    loads: list[dict[str, float]] = field(default_factory=list)
    """The same of the loop that parses it."""


def measured(keys: int, simulator: Running, *, turns: int) -> Turns:
    """Run an exporter on ``simulator``, which serves so many keys, and measure so many turns."""
    found, refreshes = Turns(keys), 0
    with exporter(configuration(simulator.found, **PATIENT)) as child:
        for _ in range(turns):
            # The one before was the first, with what is done only once, or held up by the pause.
            child.printed(REFRESHED, times=refreshes + 1)
            before = child.cpu(), simulator.cpu()
            refreshes += 2
            line = child.printed(REFRESHED, times=refreshes)
            after = child.cpu(), simulator.cpu()
            found.cpu.append(after[0] - before[0])
            found.simulator.append(after[1] - before[1])
            found.requests.append(float(line[1]))
            found.wall.append(float(line[2]))
            with child.paused():
                found.bare.append(_loop(simulator.found))
                found.loads.append(_loop(simulator.found, "--json"))
    return found


def _loop(url: str, *arguments: str) -> dict[str, float]:
    done = subprocess.run(
        [PYTHON, "-m", "benchmarks.fetch", url, *arguments],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        check=True,
    )
    return {name: float(value) for name, value in json.loads(done.stdout).items()}
