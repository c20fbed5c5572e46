"""The limited set of open connections of a server."""

from __future__ import annotations

import asyncio
from typing import Protocol


class Connection(Protocol):
    """A connection as the set of all connections sees it."""

    @property
    def deadline(self) -> float:
        """Loop time at which it expires."""

    def expire(self) -> None:
        """Close it, because its deadline has passed or a new connection needs its place."""

    def shutdown(self) -> None:
        """Close it after the request in progress."""

    def abort(self) -> None:
        """Close it at once."""


class Connections:
    """At most ``limit`` open connections."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open: set[Connection] = set()
        self._waiting: dict[Connection, None] = {}
        """Connections that are waiting for a request, longest wait first."""
        self._writing: dict[Connection, None] = {}
        """Connections whose client does not read what was written, longest wait first."""
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
        """Record that a connection is waiting for a request."""
        self._waiting.pop(connection, None)
        self._writing.pop(connection, None)
        if connection in self._open:
            self._waiting[connection] = None
            self._changed.set()

    def writing(self, connection: Connection) -> None:
        """Record that a connection is waiting for its client to read what was written."""
        self._waiting.pop(connection, None)
        self._writing[connection] = None
        self._changed.set()

    def answering(self, connection: Connection) -> None:
        """Record that the application is handling a request of the connection."""
        self._waiting.pop(connection, None)
        self._writing.pop(connection, None)

    async def wait_for_capacity(self) -> None:
        """Wait until another connection can be added.

        At the limit, closes the connection that has been waiting longest for a request, or else for
        its client to read a response. If the application is handling requests of all connections,
        waits for one of them.
        """
        while len(self._open) >= self._limit:
            oldest = next(iter(self._waiting), None) or next(iter(self._writing), None)
            if oldest is None:
                await self._change()
                continue
            self._waiting.pop(oldest, None)
            self._writing.pop(oldest, None)
            oldest.expire()
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
        """Close all connections; those with a request in progress within ``within`` seconds."""
        for connection in list(self._open):
            connection.shutdown()
        try:
            async with asyncio.timeout(within):
                while self._open:
                    await self._change()
        except TimeoutError:
            for connection in list(self._open):
                connection.abort()
