"""The open connections of a server, up to a limit."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.web.connection import Connection


class Connections:
    """At most ``limit`` open connections."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open: set[Connection] = set()
        self._waiting: dict[Connection, None] = {}
        """Connections that wait for a request, in the order in which they began to."""
        self._writing: dict[Connection, None] = {}
        """Connections whose client does not take what was written, likewise."""
        self._changed = asyncio.Event()

    def add(self, connection: Connection) -> None:
        """Add an accepted connection."""
        self._open.add(connection)
        self._waiting[connection] = None

    def discard(self, connection: Connection) -> None:
        """Remove a closed connection."""
        self._open.discard(connection)
        self._waiting.pop(connection, None)
        self._writing.pop(connection, None)
        self._changed.set()

    def waiting(self, connection: Connection) -> None:
        """Record that a connection begins to wait for a request of its client."""
        self._waiting.pop(connection, None)
        self._writing.pop(connection, None)
        if connection in self._open:
            self._waiting[connection] = None
            self._changed.set()

    def writing(self, connection: Connection) -> None:
        """Record that a connection begins to wait for its client to take what was written."""
        self._waiting.pop(connection, None)
        self._writing[connection] = None
        self._changed.set()

    def answering(self, connection: Connection) -> None:
        """Record that the application is working on a request of the connection."""
        self._waiting.pop(connection, None)
        self._writing.pop(connection, None)

    async def room(self) -> None:
        """Wait until one more connection can be added.

        Closes the connection that has waited longest for its client to send a request, or if there
        is none, the one whose client has taken nothing for longest. If the application is working
        on a request of each, waits for one of them.
        """
        while len(self._open) >= self._limit:
            oldest = next(iter(self._waiting), None) or next(iter(self._writing), None)
            if oldest is None:
                await self._change()
                continue
            self._waiting.pop(oldest, None)
            self._writing.pop(oldest, None)
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
        """Close all; those with a request in progress get ``within`` seconds to finish it."""
        for connection in list(self._open):
            connection.shutdown()
        try:
            async with asyncio.timeout(within):
                while self._open:
                    await self._change()
        except TimeoutError:
            for connection in list(self._open):
                connection.abort()
