"""Where and of what the figures are."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.measure import ROOT

_PACKAGES = ("uvicorn", "httpx", "prometheus-client", "msgspec")


def facts() -> dict[str, object]:
    """Return machine, versions, commit and date."""
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
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"
