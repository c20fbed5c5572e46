"""All connections of a server, at most so many at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.web.connection import Connection


class Connections:
    """The open connections, ``limit`` at most."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open: set[Connection] = set()
        self._waiting: dict[Connection, None] = {}
        """Those that wait for their client, the one that began first first."""
        self._changed = asyncio.Event()

    def add(self, connection: Connection) -> None:
        """Take in an accepted connection."""
        self._open.add(connection)
        self._waiting[connection] = None

    def discard(self, connection: Connection) -> None:
        """Forget a closed connection."""
        self._open.discard(connection)
        self._waiting.pop(connection, None)
        self._changed.set()

    def waiting(self, connection: Connection) -> None:
        """Take in that a connection begins to wait for its client."""
        self._waiting.pop(connection, None)
        if connection in self._open:
            self._waiting[connection] = None
            self._changed.set()

    def busy(self, connection: Connection) -> None:
        """Take in that a request is being answered."""
        self._waiting.pop(connection, None)

    async def room(self) -> None:
        """Return when there is room for one more.

        Closes the connection that has waited longest for its client. While all are being answered,
        waits until one of them is closed or waits again.
        """
        while len(self._open) >= self._limit:
            oldest = next(iter(self._waiting), None)
            if oldest is None:
                await self._change()
                continue
            del self._waiting[oldest]
            oldest.abort()
            while oldest in self._open:
                await self._change()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def close_expired(self, now: float) -> None:
        """Close the connections whose deadline has passed at the loop time ``now``."""
        for connection in [each for each in self._open if each.deadline <= now]:
            connection.expire()

    async def shut_down(self, *, within: float) -> None:
        """Close all, at most ``within`` seconds later those whose answers are being written."""
        for connection in list(self._open):
            connection.shutdown()
        try:
            async with asyncio.timeout(within):
                while self._open:
                    await self._change()
        except TimeoutError:
            for connection in list(self._open):
                connection.abort()
