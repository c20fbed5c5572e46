"""Real processes of this project's commands and of Prometheus, on the loopback only."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROOT = Path(__file__).parents[1]
EXPORTER = (sys.executable, "-m", "exporter")
PATIENCE = 30.0
"""Seconds after which a process that should have answered is given up."""


def run(
    *arguments: str, environ: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command of the exporter to its end."""
    return subprocess.run(
        [*EXPORTER, *arguments],
        env=_environment(environ),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@contextmanager
def started(
    *command: str, log: Path, environ: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``command`` while the context is open; what it prints goes to ``log``."""
    with (
        log.open("wb") as file,
        subprocess.Popen(
            command, env=_environment(environ), stdout=file, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            finally:
                process.kill()


def _environment(environ: Mapping[str, str] | None) -> dict[str, str]:
    """Return the environment for a child: this one's, measured by coverage if this is."""
    return os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "80", **(environ or {})}


def eventually(condition: Callable[[], bool], *, what: str) -> None:
    """Return when ``condition`` holds; fail after some patience. For other processes only."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {PATIENCE:.0f} s: {what}")
        time.sleep(0.05)


def printed(log: Path, pattern: str) -> str:
    """Return what the group of ``pattern`` matches in ``log``, as soon as it does."""
    found: list[str] = []

    def look() -> bool:
        match = re.search(pattern, log.read_text())
        if match:
            found.append(match[1])
        return bool(match)

    eventually(look, what=f"{pattern} in {log.read_text()!r}")
    return found[0]


def stop(process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> tuple[int, float]:
    """Send a signal; return the exit code and the seconds until the end."""
    began = time.monotonic()
    process.send_signal(number)
    return process.wait(PATIENCE), time.monotonic() - began


def program(name: str) -> str:
    """Return where a program of Debian's package ``prometheus`` is; skip the test without it."""
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is missing, and CI must have it")
        pytest.skip(f"{name} is missing; install it with: apt-get install prometheus")
    return found
