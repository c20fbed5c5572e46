"""The clock, as a parameter that tests replace.

Timestamps use ``wall``. Schedules use ``monotonic``, because the wall clock may jump.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Times and durations are in seconds."""

    def wall(self) -> float:
        """Unix time."""
        ...

    def monotonic(self) -> float:
        """Time that never goes backwards, since an arbitrary start."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for ``seconds``; cancellable."""
        ...


class SystemClock:
    """The clock of the operating system."""

    def wall(self) -> float:
        """Unix time."""
        return time.time()

    def monotonic(self) -> float:
        """Time since an arbitrary start."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait for ``seconds``."""
        await asyncio.sleep(seconds)
