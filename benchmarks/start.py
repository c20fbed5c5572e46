"""How soon a new process is of use, and what it spends the time with until then."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from benchmarks.measure import (
    PATIENCE,
    PYTHON,
    ROOT,
    Running,
    configuration,
    environment,
    exporter,
    ratios,
    spread,
    upstream,
)
from benchmarks.report import Row, paired

if TYPE_CHECKING:
    from collections.abc import Iterator

SECTION = "start"
KEYS = 1_000
REPEATS = 5
SOON = 1.0
"""Seconds within which a process should be ready."""
DOMINANT = 5
"""Packages that are shown."""
FOREIGN = ("exporter.simulator", "exporter.cli.demo", "exporter.cli.report")
"""What `run` has no use for: modules of other commands. structlog loads rich by itself."""
_NOTHING = "python -c pass"
_OF_IMPORTS = "imports"
_POLL = 0.005  # seconds
_IMPORT = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")


@dataclass(frozen=True)
class _Imports:
    """What ``-X importtime`` told of one process."""

    modules: dict[str, float]
    """Milliseconds that each module took by itself."""

    def total(self) -> float:
        """Return the milliseconds of all of them."""
        return sum(self.modules.values())

    def packages(self) -> Counter[str]:
        """Return the milliseconds of each top-level package."""
        found: Counter[str] = Counter()
        for name, took in self.modules.items():
            found[name.split(".")[0]] += took  # type: ignore[assignment] # a Counter may hold floats
        return found

    def foreign(self) -> list[str]:
        """Return the modules that are :data:`FOREIGN`."""
        return [name for name in self.modules if any(_within(name, each) for each in FOREIGN)]


def rows(*, quick: bool = False) -> Iterator[Row]:
    """Yield the time until it is ready, then the imports."""
    repeats = 1 if quick else REPEATS
    print("start: until ready", file=sys.stderr)
    with upstream(KEYS) as simulator:
        config = configuration(simulator.found)
        until, bare = [], []
        for _ in range(repeats):
            until.append(_until_ready(config))
            bare.append(_bare())
        ready = spread(until)
        yield Row(
            section=SECTION,
            of=f"{KEYS:,} keys",
            figure="until /metrics is ready",
            value=ready,
            unit="s",
            yardstick=_NOTHING,
            yardstick_value=spread(bare),
            ratios=ratios(until, bare),
            goal=f"≤ {SOON:.0f} s",
            reached=ready.median <= SOON,
        )
        print("start: imports", file=sys.stderr)
        yield from _imports(config, repeats)


def _until_ready(config: str) -> float:
    """Return the seconds from the start of the process to a page of metrics with all keys."""
    with httpx.Client(trust_env=False) as client:
        began = time.perf_counter()
        with exporter(config) as child:
            _wait(child, client)
            client.get(f"{child.found}/metrics").raise_for_status()
            return time.perf_counter() - began


def _wait(child: Running, client: httpx.Client) -> None:
    """Return when ``child`` says that it is ready."""
    deadline = time.monotonic() + PATIENCE
    while not client.get(f"{child.found}/-/ready").is_success:
        if time.monotonic() > deadline:
            raise TimeoutError(f"not ready: {child.log.read_text()}")
        time.sleep(_POLL)


def _bare() -> float:
    began = time.perf_counter()
    subprocess.run([PYTHON, "-c", "pass"], env=environment(), check=True)
    return time.perf_counter() - began


def _imports(config: str, repeats: int) -> Iterator[Row]:
    serving, version, bare = [], [], []
    for _ in range(repeats):
        with (
            httpx.Client(trust_env=False) as client,
            exporter(config, python=("-X", "importtime")) as child,
        ):
            _wait(child, client)
            serving.append(_parsed(child.log.read_text()))
        version.append(_timed("-m", "exporter", "--version"))
        bare.append(_timed("-c", "pass"))
    interpreter = [each.total() for each in bare]
    for name, found in (("run", serving), ("--version", version)):
        yield paired(
            section=SECTION,
            of=_OF_IMPORTS,
            figure=name,
            own=[each.total() for each in found],
            yardstick=_NOTHING,
            theirs=interpreter,
            unit="ms",
        )
    together: Counter[str] = Counter()
    for each in serving:
        together.update(each.packages())
    for package, _ in together.most_common(DOMINANT):
        yield Row(
            section=SECTION,
            of=_OF_IMPORTS,
            figure=f"of run's, {package}",
            value=spread(each.packages()[package] for each in serving),
            unit="ms",
        )
    foreign = serving[0].foreign()
    for unused in FOREIGN:
        if any(_within(name, unused) for name in foreign):
            print(f"start: run imports {unused} and has no use for it", file=sys.stderr)
    yield Row(
        section=SECTION,
        of=_OF_IMPORTS,
        figure="modules of other commands",
        value=spread([float(len(foreign))]),
        goal="none",
        reached=not foreign,
    )


def _within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def _timed(*arguments: str) -> _Imports:
    done = subprocess.run(
        [PYTHON, "-X", "importtime", *arguments],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return _parsed(done.stderr)


def _parsed(text: str) -> _Imports:
    return _Imports({name: int(took) / 1000 for took, name in _IMPORT.findall(text)})
