"""TLS between a socket and the HTTP protocol of a connection."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from exporter.web.connection import Connection

_RECORD = 16 * 1024
"""Bytes of content in the largest TLS record."""
_RECEIVED = 2 * 1024
"""Bytes to receive at once, more than a usual request has. A client can send so many tiny records
or key updates that 16 KiB of them take 10 ms, during which no other connection is served."""
_PIECE = 256 * 1024
"""Bytes to encrypt and send at once; enough for a body that is a single slice."""
_HEAD = 4 * 1024
"""Bytes below which a write is sent with the next one: headers, but no slice of a body."""


@dataclass(frozen=True)
class TlsSession:
    """A TLS connection and its buffers."""

    tls: ssl.SSLObject
    incoming: ssl.MemoryBIO
    """Received bytes that are not decrypted yet."""
    outgoing: ssl.MemoryBIO
    """What ``tls`` wants to send. All connections share it, because OpenSSL never frees its memory.
    It must be emptied after each call of ``tls``, before any other connection can use it."""


class TlsTransport(asyncio.BufferedProtocol, asyncio.Transport):
    """The protocol of a socket and the transport of ``connection``.

    asyncio's own TLS transport allocates 256 KiB for each connection, keeps up to two slices of a
    response that a client does not read, and reports only one of them as unsent. This one allocates
    no buffers and keeps no bytes: it decrypts and encrypts at once, and the transport of the socket
    reports what is unsent. A response of one slice costs a single call of the operating system.
    """

    def __init__(self, session: TlsSession, connection: Connection, received: bytearray) -> None:
        """``received``: the receive buffer shared by all connections."""
        super().__init__({"sslcontext": session.tls.context, "ssl_object": session.tls})
        self._tls = session.tls
        self._incoming = session.incoming
        self._outgoing = session.outgoing
        self._connection = connection
        self._received = memoryview(received)[:_RECEIVED]
        self._loop = asyncio.get_running_loop()
        self._socket: asyncio.Transport = None  # type: ignore[assignment] # until connection_made
        self._head = b""
        """A short write that waits for the next one, for at most one iteration of the loop."""
        self._closing = False
        self._reading = True
        self._writable = True

    # As the protocol of a socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open the connection, and handle what the client sent after its handshake."""
        self._socket = transport  # type: ignore[assignment] # a socket's is more than the base
        self._connection.connection_made(self)
        self._read()

    def connection_lost(self, exc: Exception | None) -> None:
        """Report the end of the connection."""
        self._closing = True
        self._connection.connection_lost(exc)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return the buffer for received bytes."""
        del sizehint
        return self._received

    def buffer_updated(self, nbytes: int) -> None:
        """Decrypt and handle ``nbytes`` received bytes."""
        if not self._closing:
            self._incoming.write(self._received[:nbytes])
            self._read()

    def eof_received(self) -> None:
        """Let the socket close, because the client has closed its side."""
        self._connection.eof_received()

    def pause_writing(self) -> None:
        """Pause the response, because the client does not read it.

        Also stops reading, because a client could request responses from TLS itself without end.
        """
        self._writable = False
        self._update_reading()
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        """Continue with the response."""
        self._writable = True
        self._update_reading()
        self._connection.resume_writing()

    # As the transport of a connection

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 # as in the base
        """Return information about the TLS connection or its socket."""
        if (value := super().get_extra_info(name)) is not None:
            return value
        return self._socket.get_extra_info(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send ``data``."""
        if self._closing or not data:
            return
        if len(data) < _HEAD and not self._head:
            self._head = bytes(data)
            self._loop.call_soon(self._flush)
            return
        head, self._head = self._head, b""
        self._encrypt(head, data)

    def _flush(self) -> None:
        head, self._head = self._head, b""
        if head and not self._closing:
            self._encrypt(head)

    def _encrypt(self, *parts: bytes | bytearray | memoryview) -> None:
        try:
            for part in parts:
                rest = memoryview(part)
                while rest:
                    rest = rest[self._tls.write(rest[:_PIECE]) :]
                    if self._outgoing.pending >= _PIECE:
                        self._send_outgoing()
        except ssl.SSLError:
            self._outgoing.read()
            self.abort()
            return
        self._send_outgoing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set the numbers of unsent bytes at which to pause and resume the response."""
        self._socket.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        """Return the number of unsent bytes."""
        return len(self._head) + self._socket.get_write_buffer_size()

    def is_reading(self) -> bool:
        """Whether received bytes are handled."""
        return self._reading

    def pause_reading(self) -> None:
        """Handle no more received bytes."""
        self._reading = False
        self._update_reading()

    def resume_reading(self) -> None:
        """Handle received bytes again, beginning with those that are not decrypted yet."""
        if not self._reading:
            self._reading = True
            self._update_reading()

    def _update_reading(self) -> None:
        if self._reading and self._writable:
            self._socket.resume_reading()
            self._loop.call_soon(self._read)  # the caller may be handling received bytes
        else:
            self._socket.pause_reading()

    def _read(self) -> None:
        try:
            # Without received bytes, OpenSSL has none either, because a record is read as a whole.
            while self._incoming.pending and self._reading and self._writable and not self._closing:
                data = self._tls.read(_RECORD)
                self._send_outgoing()
                if not data:  # the client closes the connection
                    self.close()
                    return
                self._connection.data_received(data)
        except ssl.SSLWantReadError:
            self._send_outgoing()
        except ssl.SSLError:
            self._send_outgoing()  # tells the client the cause
            self._closing = True
            self._socket.close()

    def _send_outgoing(self) -> None:
        """Send what TLS has encrypted, or wants to tell the client itself."""
        if self._outgoing.pending:
            self._socket.write(self._outgoing.read())

    def is_closing(self) -> bool:
        """Whether the connection is closed or closes after what has been written."""
        return self._closing or self._socket.is_closing()

    def can_write_eof(self) -> bool:
        """Return True: the client can be told that nothing follows."""
        return True

    def write_eof(self) -> None:
        """Tell the client that nothing follows, and ignore what it sends."""
        self._end()
        self._socket.write_eof()

    def close(self) -> None:
        """Close the connection after what has been written has been sent."""
        if self.is_closing():
            return
        unsent = self._socket.get_write_buffer_size()
        self._end()
        if not unsent and self._socket.get_write_buffer_size():
            self._socket.abort()  # the end alone is not worth waiting for
        else:
            self._socket.close()

    def _end(self) -> None:
        """Send what has been written and the end of the TLS connection (RFC 8446 §6.1)."""
        self._flush()
        self._closing = True
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        self._send_outgoing()

    def abort(self) -> None:
        """Close the connection immediately and discard unsent bytes."""
        self._closing = True
        self._socket.abort()
