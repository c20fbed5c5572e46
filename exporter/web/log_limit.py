"""Limits the log records of an event that any client can cause."""

from __future__ import annotations

import asyncio
import math

_INTERVAL = 60.0  # seconds


class LogLimit:
    """Allows one log record a minute."""

    def __init__(self) -> None:
        self._next = -math.inf
        self._omitted = 0

    def request(self) -> dict[str, int] | None:
        """Return what to add to a record now: the number of records omitted before it, if any.

        Returns None if the record is to be omitted.
        """
        now = asyncio.get_running_loop().time()
        if now < self._next:
            self._omitted += 1
            return None
        omitted, self._omitted = self._omitted, 0
        self._next = now + _INTERVAL
        return {"not_logged": omitted} if omitted else {}
