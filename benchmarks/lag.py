"""The exporter with a watch on its event loop, without any support by the exporter.

``python -m benchmarks.lag ARGUMENTS`` is ``python -m exporter ARGUMENTS``. When it ends, it writes
the longest time in seconds for which the loop was blocked to the file that the environment variable
``BENCHMARK_LAG`` names, as JSON: ``overall``, and ``steady`` since the last SIGUSR1.

A block is the time from a return of ``select`` to its next call. It includes waiting for the
interpreter lock and for a core.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.cli import main as exporter

if TYPE_CHECKING:
    from types import FrameType

VARIABLE = "BENCHMARK_LAG"


@dataclass
class Longest:
    """The longest block so far, in seconds."""

    overall: float = 0.0
    steady: float = 0.0

    def record(self, seconds: float) -> None:
        """Record that the loop was blocked for ``seconds``."""
        self.overall = max(self.overall, seconds)
        self.steady = max(self.steady, seconds)

    def reset(self, _number: int, _frame: FrameType | None) -> None:
        """Begin the steady state; a signal handler."""
        self.steady = 0.0


class WatchedSelector(selectors.DefaultSelector):
    """Records the time between two calls of ``select``."""

    def __init__(self, longest: Longest) -> None:
        super().__init__()
        self._longest = longest
        self._returned: float | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait, as the base class does."""
        if self._returned is not None:
            self._longest.record(time.perf_counter() - self._returned)
        ready = super().select(timeout)
        self._returned = time.perf_counter()
        return ready


def main() -> int:
    """Run the exporter, then write the longest blocks."""
    longest = Longest()
    signal.signal(signal.SIGUSR1, longest.reset)
    # asyncio takes the selector of a new event loop from here.
    selectors.DefaultSelector = lambda: WatchedSelector(longest)  # type: ignore[assignment,misc]
    code = exporter(sys.argv[1:])
    Path(os.environ[VARIABLE]).write_text(json.dumps(asdict(longest)))
    return code


if __name__ == "__main__":
    sys.exit(main())
