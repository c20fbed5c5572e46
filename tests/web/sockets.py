"""A server on the loopback and clients that are slow, silent or wrong, in one event loop.

The sockets are real. The loop's clock can be put forward, so that no test waits for a deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import h11
from starlette.responses import PlainTextResponse

from exporter.web import Limits, bind, serve
from tests.web.tls import ClientTls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from starlette.types import ASGIApp, Receive, Scope, Send

    from tests.web.tls import ServedTls

T = TypeVar("T")

TIMEOUT = 20.0
"""Seconds, real ones, after which a server that should have answered is given up."""
GET = b"GET / HTTP/1.1\r\nHost: exporter\r\n\r\n"
LARGE = b"".join(b"%07d\n" % number for number in range(2**19))  # 4 MiB, more than sockets hold
TINY = 4096
"""Bytes; the least that a client's socket can be made to hold."""


class SkippingLoop(asyncio.SelectorEventLoop):
    """Its time is the real one and what was skipped."""

    skipped = 0.0

    def time(self) -> float:
        return super().time() + self.skipped


def run(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        return runner.run(main)


class Client:
    """One connection to a server."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._loop = asyncio.get_running_loop()
        self._received = b""
        self.tls: ClientTls | None = None

    async def start_tls(
        self,
        context: ssl.SSLContext,
        session: ssl.SSLSession | None = None,
        *,
        first: bytes = b"",
    ) -> None:
        """Do the handshake, and send ``first`` together with its last message.

        Raises ``ssl.SSLError``, at EOF ``ssl.SSLEOFError``.
        """
        self.tls = tls = ClientTls(context, session)

        def handshake() -> None:
            tls.object.do_handshake()
            if first:
                tls.object.write(first)

        await self._with_tls(handshake)

    async def _with_tls(self, step: Callable[[], T]) -> T:
        """Repeat ``step`` of TLS until it needs nothing more from the server."""
        assert self.tls is not None
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                pass
            finally:
                with contextlib.suppress(ConnectionError):
                    await self.send_raw(self.tls.outgoing.read())
            if received := await self.receive_raw():
                self.tls.incoming.write(received)
            else:
                self.tls.incoming.write_eof()

    async def send(self, data: bytes) -> None:
        tls = self.tls
        while tls is not None and data:
            data = data[tls.object.write(data) :]
        await self.send_raw(data if tls is None else tls.outgoing.read())

    async def send_while_open(self, data: bytes) -> None:
        """Send ``data`` unless the server has closed the connection."""
        with contextlib.suppress(ConnectionError):
            await self.send(data)

    async def receive(self, size: int = 65536) -> bytes:
        """Return what has come, nothing at the end of the connection, however that came about."""
        if self.tls is None:
            return await self.receive_raw(size)
        tls = self.tls.object
        try:
            return await self._with_tls(lambda: tls.read(size))
        except ssl.SSLEOFError:
            return b""

    async def send_raw(self, data: bytes) -> None:
        """Send ``data`` beside TLS."""
        await asyncio.wait_for(self._loop.sock_sendall(self._socket, data), TIMEOUT)

    async def receive_raw(self, size: int = 65536) -> bytes:
        """Return what has come, perhaps encrypted."""
        try:
            return await asyncio.wait_for(self._loop.sock_recv(self._socket, size), TIMEOUT)
        except ConnectionError:
            return b""

    def close(self) -> None:
        self._socket.close()

    def reset(self) -> None:
        """Close the connection with a TCP reset."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    async def cut_off(self) -> None:
        """Send until the server, which has closed the connection, resets it."""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(TIMEOUT):
                while True:
                    await self.send(b"more")
                    await asyncio.sleep(0)

    async def response(self, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of the next response.

        Raises ``h11.RemoteProtocolError`` if the connection ends before it is complete.
        """
        parser = h11.Connection(h11.CLIENT)
        parser.send(h11.Request(method=method, target="/", headers=[("Host", "exporter")]))
        parser.send(h11.EndOfMessage())
        parser.receive_data(self._received or await self.receive())
        status, headers, body = 0, {}, b""
        while not isinstance(event := parser.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                parser.receive_data(await self.receive())
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.Response):
                status = event.status_code
                headers = {name.decode(): value.decode() for name, value in event.headers}
        self._received, _ = parser.trailing_data
        return status, headers, body

    async def get(self, path: str = "/", method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        await self.send(f"{method} {path} HTTP/1.1\r\nHost: exporter\r\n\r\n".encode())
        return await self.response(method)

    async def rest(self) -> bytes:
        """Return everything until the server closes the connection."""
        received, self._received = self._received, b""
        while more := await self.receive():
            received += more
        return received


class Serving:
    """A server and those who connect to it."""

    def __init__(
        self, address: tuple[str, int], loop: SkippingLoop, tls: ServedTls | None = None
    ) -> None:
        self.address = address
        self._tls = tls
        self._loop = loop
        self._clients: list[socket.socket] = []

    async def client(
        self, *, buffer: int | None = None, context: ssl.SSLContext | None = None
    ) -> Client:
        """Connect, with TLS if the server uses it.

        ``buffer``: bytes that the client's side of the connection takes unread. ``context``: TLS
        settings other than the usual ones.
        """
        client = await self.tcp_client(buffer=buffer)
        if self._tls is not None:
            context = context or self._tls.client
        if context is not None:
            await client.start_tls(context)
        return client

    async def tcp_client(self, *, buffer: int | None = None) -> Client:
        """Connect without TLS; ``buffer``: see above."""
        connection = self.unconnected()
        if buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        return await self.connect(connection)

    def unconnected(self) -> socket.socket:
        """Return a socket that is not connected yet."""
        connection = socket.socket()
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as usual for HTTP
        self._clients.append(connection)
        return connection

    async def connect(
        self, connection: socket.socket, address: tuple[str, int] | None = None
    ) -> Client:
        """Connect to this server, or to another ``address``."""
        reached = self._loop.sock_connect(connection, address or self.address)
        await asyncio.wait_for(reached, TIMEOUT)
        return Client(connection)

    async def skip(self, seconds: float) -> None:
        """Let the time pass, after what has been sent so far was received."""
        await self._settle()
        self._loop.skipped += seconds
        await self._settle()

    async def _settle(self) -> None:
        """Go around the event loop until it has handled what was ready."""
        for _ in range(20):
            await asyncio.sleep(0)

    def close(self) -> None:
        for each in self._clients:
            each.close()


@asynccontextmanager
async def serving(
    app: ASGIApp,
    limits: Limits | None = None,
    *,
    tls: ServedTls | None = None,
    reads_bodies: bool = False,
) -> AsyncIterator[Serving]:
    """Serve ``app`` while the context is open, with ``tls`` over HTTPS."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SkippingLoop)
    sockets = bind(["127.0.0.1:0"])
    served = Serving(sockets[0].getsockname(), loop, tls)
    options: dict[str, Any] = {"reads_bodies": reads_bodies}
    if tls is not None:
        options |= {"tls": tls.current, "on_handshake_failure": tls.count_failure}
    try:
        async with serve(app, sockets, limits=limits or Limits(), **options):
            yield served
    finally:
        served.close()


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("Hello.\n")(scope, receive, send)


async def large(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with 4 MiB in 64 slices."""
    if scope["path"] == "/hello":
        await hello(scope, receive, send)
        return
    headers = [(b"content-length", b"%d" % len(LARGE))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for at in range(0, len(LARGE), 65536):
        more = at + 65536 < len(LARGE)
        body = LARGE[at : at + 65536]
        await send({"type": "http.response.body", "body": body, "more_body": more})


async def answers(client: Client) -> bool:
    return (await client.get())[0] == 200


async def is_closed(client: Client) -> bool:
    return await client.receive() == b""
