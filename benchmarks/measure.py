"""Start real processes and read from the kernel what they use."""

from __future__ import annotations

import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from benchmarks.upstream import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PYTHON = sys.executable
ROOT = Path(__file__).parents[1]
PATIENCE = 120.0
"""Seconds after which a process that should have said something is given up."""
_POLL = 0.002  # seconds
_KIB_PER_MIB = 1024


@dataclass(frozen=True)
class Spread:
    """What repeated measurements gave."""

    median: float
    least: float
    most: float


def spread(values: Iterable[float]) -> Spread:
    """Return median and extremes. Raises ``ValueError`` for no values."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("nothing was measured")
    return Spread(statistics.median(ordered), ordered[0], ordered[-1])


def ratios(own: Iterable[float], theirs: Iterable[float]) -> Spread:
    """Return how many times ``theirs`` is ``own``, repeat by repeat.

    Two figures of one repeat had the same neighbours on the machine, those of two repeats had not.
    Raises ``ValueError`` if one is there more often than the other.
    """
    return spread(mine / their for mine, their in zip(own, theirs, strict=True))


@dataclass(frozen=True)
class Running:
    """A child that is up."""

    pid: int
    found: str
    """What the first group of ``ready`` matched."""
    log: Path
    """Where its standard output and error go."""

    def cpu(self) -> float:
        """Return the user and system seconds of all its threads so far.

        From its CPU clock, ``clock_getcpuclockid(3)``: to the nanosecond, where /proc/PID/stat
        counts hundredths of a second, of which a small refresh takes two.
        """
        return time.clock_gettime((~self.pid << 3) | 2)

    def memory(self) -> float:
        """Return the resident memory now, in MiB."""
        return self._status("VmRSS")

    def peak_memory(self) -> float:
        """Return the most resident memory it ever had, in MiB."""
        return self._status("VmHWM")

    def _status(self, name: str) -> float:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) / _KIB_PER_MIB
        raise ValueError(f"the kernel does not say {name}")

    def printed(self, pattern: str, *, times: int = 1) -> re.Match[str]:
        """Return match number ``times`` of ``pattern`` in the log, as soon as there is one."""
        deadline = time.monotonic() + PATIENCE
        while True:
            matches = list(re.finditer(pattern, self.log.read_text()))
            if len(matches) >= times:
                return matches[times - 1]
            if time.monotonic() > deadline:
                raise TimeoutError(f"no {pattern} number {times} in: {self.log.read_text()}")
            time.sleep(_POLL)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Keep it from running while the context is open."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)


def environment(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for a child: this one's, where this project is found."""
    return os.environ | {"PYTHONPATH": str(ROOT), **(env or {})}


@contextmanager
def running(*command: str, env: Mapping[str, str] | None = None, ready: str) -> Iterator[Running]:
    """Run ``command`` while the context is open; yield it when a line it prints matches ``ready``.

    Raises ``RuntimeError`` with what it printed if it ends before that.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with (
            log.open("wb") as file,
            subprocess.Popen(
                command, env=environment(env), stdout=file, stderr=subprocess.STDOUT
            ) as process,
        ):
            try:
                yield Running(process.pid, _awaited(process, log, ready), log)
            finally:
                process.terminate()
                try:
                    process.wait(PATIENCE)
                finally:
                    process.kill()


def _awaited(process: subprocess.Popen[bytes], log: Path, ready: str) -> str:
    """Return what the group of ``ready`` matches in a whole line of ``log``, as soon as it does."""
    deadline = time.monotonic() + PATIENCE
    while True:
        ended = process.poll() is not None or time.monotonic() > deadline
        text = log.read_text()
        match = re.search(ready, text[: text.rfind("\n") + 1], re.MULTILINE)
        if match:
            return match[1]
        if ended:
            raise RuntimeError(f"{' '.join(process.args)} did not start: {text}")  # type: ignore[arg-type] # a list of str
        time.sleep(_POLL)


@contextmanager
def exporter(config: str, *arguments: str, python: Iterable[str] = ()) -> Iterator[Running]:
    """Run the exporter of the YAML ``config`` while the context is open; its URL is ``found``.

    ``python``: options of the interpreter.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(config)
        with running(
            *(PYTHON, *python, "-m", "exporter", f"--config.file={path}"),
            "--web.listen-address=127.0.0.1:0",
            *arguments,
            env={"SECRET": SECRET},
            ready=r"msg=listening .*urls=(\S+)",
        ) as child:
            yield child


@contextmanager
def upstream(keys: int, organizations: int = 1, *, churning: bool = False) -> Iterator[Running]:
    """Serve prepared pages of so many keys each while the context is open; ``found`` is the URL.

    ``churning``: see :class:`benchmarks.churning.Churning`.
    """
    with running(
        *(PYTHON, "-m", "benchmarks.upstream"),
        f"--keys={keys}",
        f"--organizations={organizations}",
        *(["--churning"] if churning else []),
        ready=r"^(http://\S+)$",
    ) as child:
        yield child


def configuration(url: str, organizations: int = 1, **settings: object) -> str:
    """Return the YAML for organizations that :func:`upstream` serves at ``url``.

    ``settings`` are the document's ``defaults``; names and quotas are off unless given.
    """
    off = {"enabled": False}
    document = {
        "defaults": {"url": url, "names": off, "quotas": off, **settings},
        "organizations": [
            {
                "name": f"org{number}",
                "credentials": {"api_key": f"KEY{number}", "api_secret_env": "SECRET"},
            }
            for number in range(organizations)
        ],
    }
    return str(yaml.safe_dump(document, sort_keys=False))
