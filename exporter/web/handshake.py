"""The TLS handshake of a new connection, and the causes of its failures."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from email.utils import formatdate
from typing import TYPE_CHECKING

from exporter.web.client_hello import ClientHello, MalformedError
from exporter.web.tls_transport import TlsSession

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from exporter.web.tls import TlsContext

_RECEIVE_SIZE = 16 * 1024
_HANDSHAKE_RECORD = 0x16
"""The first byte of a TLS connection (RFC 8446 §5.1)."""
_HANDSHAKE_FAILURE, _DECODE_ERROR = 40, 50
"""Alerts (RFC 8446 §6.2)."""
_EXPECTS_TLS = b"This server expects HTTPS: use https:// in the URL.\n"
_CLOSED = "the client closed the connection"
_MALFORMED = "the client sent a malformed TLS message"
_NO_CURVE = "the client and this server have no curve in common"
_CAUSES = {
    name: cause
    for cause, names in {
        "the client and this server have no cipher suite in common": ["NO_SHARED_CIPHER"],
        _NO_CURVE: [
            "NO_SHARED_GROUP",
            "NO_SHARED_GROUPS",
            "NO_SUITABLE_GROUPS",
            "NO_SUITABLE_KEY_SHARE",
        ],
        "the client does not support the TLS versions of this server": [
            "UNSUPPORTED_PROTOCOL",
            "VERSION_TOO_LOW",
            "WRONG_VERSION_NUMBER",
        ],
        _MALFORMED: [
            "BAD_PACKET",
            "BAD_RECORD_TYPE",
            "DATA_LENGTH_TOO_LONG",
            "EXCESSIVE_MESSAGE_SIZE",
            "LENGTH_MISMATCH",
            "PACKET_LENGTH_TOO_LONG",
            "UNEXPECTED_MESSAGE",
            "UNEXPECTED_RECORD",
        ],
        "the client sent no certificate": ["PEER_DID_NOT_RETURN_A_CERTIFICATE"],
        "the client does not trust the certificate of this server": [
            "SSLV3_ALERT_BAD_CERTIFICATE",
            "SSLV3_ALERT_CERTIFICATE_EXPIRED",
            "SSLV3_ALERT_CERTIFICATE_REVOKED",
            "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
            "TLSV1_ALERT_UNKNOWN_CA",
        ],
    }.items()
    for name in names
}
"""By OpenSSL's name of the error. Others are logged by that name."""


class HandshakeError(Exception):
    """The client cannot be served; the message says why."""

    def __init__(self, cause: str, answer: bytes = b"") -> None:
        """``answer``: what to send to the client."""
        super().__init__(cause)
        self.answer = answer


class Handshake:
    """The handshake of one accepted connection.

    No TLS state is allocated until the first byte arrives, so that silent clients are cheap.
    """

    def __init__(self, accepted: socket.socket, outgoing: ssl.MemoryBIO) -> None:
        """``outgoing``: the buffer shared by all connections, see :class:`TlsSession`."""
        self.has_begun = False
        """Whether the client has sent anything. Health checks connect and send nothing."""
        self._accepted = accepted
        self._outgoing = outgoing
        self._loop = asyncio.get_running_loop()

    async def perform(self, tls: Callable[[], Awaitable[TlsContext]]) -> TlsSession | None:
        """Return the session; None if the client closes the connection without sending a byte.

        Raises :class:`HandshakeError`.
        """
        with contextlib.suppress(ConnectionError):
            received = await self._receive()
            if not received:
                return None
            self.has_begun = True
            if received[0] != _HANDSHAKE_RECORD:
                raise HandshakeError("the client did not use TLS", _expects_tls())
            received = await self._receive_hello(received)
            settings = await tls()
            session = self._new_session(settings.context)
            await self._exchange(session, received)
            if not settings.allows(session.tls.getpeercert()):
                raise HandshakeError("the client's certificate has none of the allowed names")
            return session
        if not self.has_begun:
            return None
        raise HandshakeError(_CLOSED)

    async def _receive_hello(self, received: bytes) -> bytes:
        """Return ``received`` and what follows, at least the whole first message of the client."""
        hello = ClientHello()
        try:
            while not hello.is_complete_with(received):
                received = await self._receive()
                if not received:
                    raise HandshakeError(_CLOSED)
            needs_finite_field = hello.needs_finite_field()
        except MalformedError:
            raise HandshakeError(_MALFORMED, _alert(_DECODE_ERROR)) from None
        if needs_finite_field:
            raise HandshakeError(_NO_CURVE, _alert(_HANDSHAKE_FAILURE))
        return bytes(hello.received)

    def _new_session(self, context: ssl.SSLContext) -> TlsSession:
        incoming, outgoing = ssl.MemoryBIO(), self._outgoing
        tls = context.wrap_bio(incoming, outgoing, server_side=True)
        return TlsSession(tls, incoming, outgoing)

    async def _exchange(self, session: TlsSession, received: bytes) -> None:
        """Exchange messages with the client until the handshake is complete."""
        while received:
            session.incoming.write(received)
            try:
                session.tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._send(session.outgoing.read())
                received = await self._receive()
                continue
            except ssl.SSLError as error:
                raise HandshakeError(_cause(error), session.outgoing.read()) from None
            await self._send(session.outgoing.read())
            return
        raise HandshakeError(_CLOSED)

    async def reject(self, error: HandshakeError) -> None:
        """Send the client the answer of ``error``, and wait until it closes the connection."""
        # Closing now would reset the connection if the client is still sending. It might then not
        # receive the answer.
        with contextlib.suppress(OSError):
            await self._send(error.answer)
            self._accepted.shutdown(socket.SHUT_WR)
            while await self._receive():
                pass

    async def _receive(self) -> bytes:
        # ``sock_recv`` does not let others run while a client sends faster than this receives.
        await asyncio.sleep(0)
        return await self._loop.sock_recv(self._accepted, _RECEIVE_SIZE)

    async def _send(self, data: bytes) -> None:
        if data:
            await self._loop.sock_sendall(self._accepted, data)


def _alert(description: int) -> bytes:
    """Return the record of a fatal alert that is not encrypted."""
    return bytes([0x15, 3, 3, 0, 2, 2, description])


def _cause(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the client's certificate is not accepted: {error.verify_message}"
    name = error.reason or "unknown"
    return _CAUSES.get(name) or name.lower().replace("_", " ")


def _expects_tls() -> bytes:
    head = (
        "HTTP/1.1 400 Bad Request\r\n"
        f"Date: {formatdate(usegmt=True)}\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(_EXPECTS_TLS)}\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + _EXPECTS_TLS
