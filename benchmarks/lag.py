"""The exporter with a watch on its event loop, which nothing in the exporter knows of.

``python -m benchmarks.lag ARGUMENTS`` is ``python -m exporter ARGUMENTS``. At its end it writes to
the file that the environment variable ``BENCHMARK_LAG`` names, as JSON, for how many seconds the
loop was blocked in one go at most: ``overall``, and ``steady``, since the last SIGUSR1; and how
long one garbage collection took at most since then, during which nothing else runs.

What is measured is the time from one return of ``select`` to the next call, with whatever the
thread waited for in between: the interpreter's lock and the machine's processors, too.
"""

from __future__ import annotations

import asyncio
import gc
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
    """The longest so far, in seconds: blocks of the loop and garbage collections."""

    overall: float = 0.0
    steady: float = 0.0
    collection: float = 0.0

    def took(self, seconds: float) -> None:
        """The loop was blocked for ``seconds``."""
        self.overall = max(self.overall, seconds)
        self.steady = max(self.steady, seconds)

    def settle(self, _number: int, _frame: FrameType | None) -> None:
        """The steady state begins; a signal handler."""
        self.steady = self.collection = 0.0


class Collections:
    """Tells ``longest`` how long garbage collections take."""

    def __init__(self, longest: Longest) -> None:
        self._longest = longest
        self._began = 0.0

    def __call__(self, phase: str, _info: dict[str, int]) -> None:
        """A collection starts or stops; one of ``gc.callbacks``."""
        if phase == "start":
            self._began = time.perf_counter()
        else:
            took = time.perf_counter() - self._began
            self._longest.collection = max(self._longest.collection, took)


class WatchedSelector(selectors.DefaultSelector):
    """Tells ``longest`` what happens between two selects."""

    def __init__(self, longest: Longest) -> None:
        super().__init__()
        self._longest = longest
        self._returned: float | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait, as the base class does."""
        if self._returned is not None:
            self._longest.took(time.perf_counter() - self._returned)
        ready = super().select(timeout)
        self._returned = time.perf_counter()
        return ready


class WatchedPolicy(asyncio.DefaultEventLoopPolicy):
    """Makes loops on such selectors."""

    def __init__(self, longest: Longest) -> None:
        super().__init__()
        self._longest = longest

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """Return a new one."""
        return asyncio.SelectorEventLoop(WatchedSelector(self._longest))


def main() -> int:
    """Run the exporter and write what was seen."""
    longest = Longest()
    signal.signal(signal.SIGUSR1, longest.settle)
    gc.callbacks.append(Collections(longest))
    asyncio.set_event_loop_policy(WatchedPolicy(longest))
    code = exporter(sys.argv[1:])
    Path(os.environ[VARIABLE]).write_text(json.dumps(asdict(longest)))
    return code


if __name__ == "__main__":
    sys.exit(main())
