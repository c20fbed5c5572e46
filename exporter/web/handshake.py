"""The TLS handshake of a new connection, and the reasons for which it fails."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from email.utils import formatdate
from typing import TYPE_CHECKING

from exporter.web.tls_transport import TlsSession

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from exporter.web.tls import TlsContext

_RECEIVE_SIZE = 16 * 1024
_HANDSHAKE_RECORD = 0x16
"""The first byte of a TLS connection (RFC 8446 §5.1)."""
_EXPECTS_TLS = b"This server expects HTTPS: use https:// in the URL.\n"
_CAUSES = {
    name: cause
    for cause, names in {
        "the client and this server have no cipher suite in common": ["NO_SHARED_CIPHER"],
        "the client and this server have no curve in common": [
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
        "the client sent a malformed TLS message": [
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

    Until the first byte arrives, it costs no TLS state, so that silent clients are cheap.
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
            settings = await tls()
            session = self._new_session(settings.context)
            await self._exchange(session, received)
            if not settings.allows(session.tls.getpeercert()):
                raise HandshakeError("the client's certificate has none of the allowed names")
            return session
        if not self.has_begun:
            return None
        raise HandshakeError("the client closed the connection")

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
        raise HandshakeError("the client closed the connection")

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
        return await self._loop.sock_recv(self._accepted, _RECEIVE_SIZE)

    async def _send(self, data: bytes) -> None:
        if data:
            await self._loop.sock_sendall(self._accepted, data)


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
