"""The HTTP server: accepts connections up to a limit and closes them at their deadline.

With TLS, each connection uses the settings that hold when its handshake begins. Renewed
certificates and changed client CAs therefore need no new listener, and no connection is lost.
Replacing the context in an SNI callback would not change the verification of clients, and CAs
cannot be removed from a context.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import structlog
import uvicorn
from uvicorn.server import ServerState

from exporter.web.connection import RECEIVE_SIZE, Connection
from exporter.web.connections import Connections
from exporter.web.handshake import Handshake, HandshakeError
from exporter.web.handshake_failures import HandshakeFailures
from exporter.web.limits import Limits, process_limits
from exporter.web.log_limit import LogLimit
from exporter.web.loop_errors import logged_sparingly
from exporter.web.tls_transport import TlsTransport

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from starlette.types import ASGIApp

    from exporter.web.tls import TlsContext

_BACKLOG = 128
_TICK = 1.0  # seconds
_RETRY = 1.0
"""Seconds to wait after failing to accept, such as without a free file descriptor."""

log = structlog.get_logger(__name__)


class _Server:
    """Accepts connections itself and uses uvicorn only for HTTP.

    asyncio's servers accept without a limit and report connections only after the TLS handshake.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits: Limits,
        tls: Callable[[], Awaitable[TlsContext]] | None,
        on_handshake_failure: Callable[[], None],
        *,
        reads_bodies: bool,
    ) -> None:
        self._limits = limits
        self._reads_bodies = reads_bodies
        self._tls = tls
        self._failures = HandshakeFailures(on_handshake_failure)
        self._connections = Connections(limits.connections)
        self._config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            proxy_headers=False,
        )
        self._config.load()
        self._state = ServerState()
        self._received = bytearray(RECEIVE_SIZE)
        self._outgoing = ssl.MemoryBIO()
        self._loop = asyncio.get_running_loop()
        self._log_limit = LogLimit()

    async def run(self, listeners: Sequence[socket.socket]) -> None:
        """Serve until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tick())
            for listener in listeners:
                group.create_task(self._accept(listener))

    async def _tick(self) -> None:
        while True:
            date = formatdate(time.time(), usegmt=True)
            self._state.default_headers = [(b"date", date.encode())]
            self._connections.close_expired(self._loop.time())
            await asyncio.sleep(_TICK)

    async def _accept(self, listener: socket.socket) -> None:
        listener.setblocking(False)
        listener.listen(_BACKLOG)
        while True:
            try:
                accepted, address = await self._loop.sock_accept(listener)
            except ConnectionError:  # the client has disconnected
                await asyncio.sleep(0)
                continue
            except OSError as error:
                self._log_failure(error)
                await asyncio.sleep(_RETRY)
                continue
            with contextlib.ExitStack() as stack:
                stack.enter_context(accepted)
                await self._connections.wait_for_capacity()
                stack.pop_all()
            self._open(accepted, address)
            await asyncio.sleep(0)  # let others run during a burst of connections

    def _log_failure(self, error: OSError) -> None:
        if self._log_limit.request() is not None:
            log.error("cannot accept connections; retrying", error=error.strerror)

    def _open(self, accepted: socket.socket, address: Any) -> None:  # noqa: ANN401 # as accepted
        connection = Connection(
            self._config,
            self._state,
            limits=self._limits,
            connections=self._connections,
            received=self._received,
            reads_bodies=self._reads_bodies,
        )
        self._connections.add(connection)

        def opened(_task: asyncio.Task[None]) -> None:
            if connection.is_opening:  # failed or cancelled, perhaps before it started
                accepted.close()
                self._connections.discard(connection)

        if self._tls is None:
            opening = self._connect(accepted, connection)
        else:
            opening = self._connect_with_tls(accepted, address, connection, self._tls)
        connection.opening = self._loop.create_task(opening)
        connection.opening.add_done_callback(opened)

    async def _connect(self, accepted: socket.socket, protocol: Connection | TlsTransport) -> None:
        with contextlib.suppress(OSError):  # the client has disconnected
            await self._loop.connect_accepted_socket(lambda: protocol, accepted)

    async def _connect_with_tls(
        self,
        accepted: socket.socket,
        address: Any,  # noqa: ANN401 # as accepted
        connection: Connection,
        tls: Callable[[], Awaitable[TlsContext]],
    ) -> None:
        handshake = Handshake(accepted, self._outgoing)
        try:
            session = await handshake.perform(tls)
        except HandshakeError as error:
            self._failures.add(str(error), address)
            await handshake.reject(error)
            return
        except asyncio.CancelledError:
            if handshake.has_begun and self._loop.time() >= connection.deadline:
                self._failures.add("the client did not complete the handshake in time", address)
            raise
        if session is not None:
            await self._connect(accepted, TlsTransport(session, connection, self._received))

    async def shut_down(self) -> None:
        """Close all connections, after a short time for responses in progress."""
        await self._connections.shut_down(within=self._limits.shutdown)
        tasks = list(self._state.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


@contextlib.asynccontextmanager
async def serve(
    app: ASGIApp,
    sockets: Sequence[socket.socket],
    *,
    tls: Callable[[], Awaitable[TlsContext]] | None = None,
    on_handshake_failure: Callable[[], None] = lambda: None,
    ended: Callable[[], None] = lambda: None,
    limits: Limits | None = None,
    reads_bodies: bool = False,
) -> AsyncIterator[None]:
    """Serve ``app`` on ``sockets`` in this context, and close them at its end.

    ``app`` receives the bodies of requests only if it ``reads_bodies``. With ``tls``, serves HTTPS
    and awaits ``tls`` for the settings of each connection; without it, serves plain HTTP. Calls
    ``on_handshake_failure`` for each client that began to send, but completed no handshake. Calls
    ``ended`` if the server stops unexpectedly; the context then raises the cause.
    """
    loop = asyncio.get_running_loop()
    with logged_sparingly(loop):
        server = _Server(
            app,
            limits or process_limits(),
            tls,
            on_handshake_failure,
            reads_bodies=reads_bodies,
        )
        task = loop.create_task(server.run(sockets))
        task.add_done_callback(lambda _: ended())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            for each in sockets:
                each.close()
            await server.shut_down()
            if not task.cancelled():
                task.result()
