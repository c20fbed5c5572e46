"""A client connection: uvicorn's HTTP/1.1 protocol with deadlines."""

from __future__ import annotations

import asyncio
import enum
import logging
import math
import sys
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import uvicorn
    from uvicorn.server import ServerState

    from exporter.web.connections import Connections
    from exporter.web.limits import Limits

RECEIVE_SIZE = 16 * 1024
"""Bytes per read. With h11's limit of 16 KiB for an incomplete header section, the headers of a
request have at most 32 KiB."""


class Phase(enum.Enum):
    """What a connection is waiting for."""

    HEADER = enum.auto()
    """Waiting for the rest of a request."""
    IDLE = enum.auto()
    """Waiting for the next request."""
    CLOSING = enum.auto()
    """Waiting for the client to read an error response and close the connection."""
    ANSWERING = enum.auto()
    """Waiting for the application."""
    WRITING = enum.auto()
    """Waiting for the client to read what has been written."""


_BUSY = (Phase.ANSWERING, Phase.WRITING)  # a tuple, since hashing an enum is slow


class _Logger(logging.LoggerAdapter[logging.Logger]):
    """Logs uvicorn's warnings as debug messages.

    They are about malformed requests, which any client can send.
    """

    level = logging.WARNING  # uvicorn reads it and omits its trace messages

    def warning(self, msg: object, *args: object, **options: Any) -> None:  # noqa: ANN401 # as in the base
        self.debug(msg, *args, **options)

    def error(self, msg: object, *args: object, **options: Any) -> None:  # noqa: ANN401 # as in the base
        if not isinstance(options.get("exc_info"), asyncio.CancelledError):  # at shutdown
            super().error(msg, *args, **options)


_logger = _Logger(logging.getLogger(__name__))


class Connection(H11Protocol, asyncio.BufferedProtocol):
    """Serves the requests of one connection and discards their bodies, unless it ``reads_bodies``.

    Stores its deadline for :meth:`Connections.close_expired`, because setting and cancelling timers
    for every request is slow.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        state: ServerState,
        *,
        limits: Limits,
        connections: Connections,
        received: bytearray,
        reads_bodies: bool,
    ) -> None:
        """``received``: the receive buffer shared by all connections."""
        super().__init__(config, state, app_state={})
        self.logger = _logger  # type: ignore[assignment] # an adapter suffices
        self._limits = limits
        self._connections = connections
        self._received = received
        self._reads_bodies = reads_bodies
        self._phase = Phase.HEADER
        self._served = False
        self._rejected = False
        self.deadline = self.loop.time() + limits.header
        """Loop time at which to close the connection."""
        self.opening: asyncio.Task[None] | None = None
        """The task that opens the connection, including the TLS handshake."""

    @property
    def is_opening(self) -> bool:
        """Whether the connection is not ready to receive or send."""
        return self.transport is None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start waiting for a request."""
        super().connection_made(transport)  # type: ignore[arg-type] # uvicorn's own
        self.transport.set_write_buffer_limits(high=0)  # pause writing while unsent bytes remain
        self.deadline = self.loop.time() + self._limits.header  # after the TLS handshake

    def connection_lost(self, exc: Exception | None) -> None:
        """Abandon the request in progress, if any."""
        super().connection_lost(exc)
        self._connections.discard(self)

    def get_buffer(self, sizehint: int) -> bytearray:
        """Return the buffer for received bytes."""
        del sizehint
        return self._received

    def buffer_updated(self, nbytes: int) -> None:
        """Handle ``nbytes`` received bytes."""
        self.data_received(bytes(memoryview(self._received)[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """Handle received bytes."""
        if self._rejected or self.conn.their_state is h11.MUST_CLOSE:
            return  # ignore everything after the last request
        super().data_received(data)
        if not self._reads_bodies and self.cycle is not None:
            self.cycle.body.clear()
        self._update_phase()

    def on_response_complete(self) -> None:
        """Wait for the next request, or handle it if it has already been received."""
        # Overrides uvicorn's method, which sets a timer for each response.
        self._served = True
        if not self.transport.is_closing():
            self.flow.resume_reading()
            if self.conn.our_state is h11.DONE and self.conn.their_state is h11.DONE:
                self.conn.start_next_cycle()
                self.handle_events()
        self._update_phase()

    def pause_writing(self) -> None:
        """Start waiting for the client to read what was written."""
        super().pause_writing()
        self._update_phase()

    def resume_writing(self) -> None:
        """Continue with the response."""
        super().resume_writing()
        self._update_phase()

    def _update_phase(self) -> None:
        phase = self._find_phase()
        if phase is self._phase:
            return
        self._phase = phase
        self.deadline = self.loop.time() + self._seconds(phase)
        if phase is Phase.ANSWERING:
            self._connections.answering(self)
        elif phase is Phase.WRITING:
            self._connections.writing(self)
        else:
            self._connections.waiting(self)

    def _seconds(self, phase: Phase) -> float:
        match phase:
            case Phase.ANSWERING:
                return math.inf
            case Phase.IDLE:
                return self._limits.idle
            case Phase.WRITING:
                return self._limits.write
            case Phase.HEADER | Phase.CLOSING:
                return self._limits.header

    def _find_phase(self) -> Phase:
        if self.flow.write_paused:
            return Phase.WRITING
        if self._rejected:
            return Phase.CLOSING
        if self.conn.our_state in (h11.SEND_RESPONSE, h11.SEND_BODY):
            return Phase.ANSWERING
        begun, _ = self.conn.trailing_data
        if self._served and self.conn.their_state is h11.IDLE and not begun:
            return Phase.IDLE
        return Phase.HEADER

    def send_400_response(self, msg: str) -> None:
        """Reject a malformed request; uvicorn calls this while it handles h11's error."""
        del msg
        error = sys.exception()
        hint = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        if self.cycle is not None:
            self.cycle.disconnected = True  # do not continue an incomplete response
        self._rejected = True
        if self.conn.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            self.transport.close()
            return
        self._send_error(HTTPStatus(hint))
        # Closing now would reset the connection if the client is still sending. It might then not
        # receive the response (RFC 9112 §9.6).
        self.transport.write_eof()

    def _send_error(self, status: HTTPStatus) -> None:
        text = f"{status.phrase}.\n".encode()
        headers = [
            *self.server_state.default_headers,
            (b"Content-Type", b"text/plain; charset=utf-8"),
            (b"Content-Length", str(len(text)).encode()),
            (b"X-Content-Type-Options", b"nosniff"),
            (b"Connection", b"close"),
        ]
        head = h11.Response(status_code=status, headers=headers, reason=status.phrase.encode())
        for event in (head, h11.Data(data=text), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")

    def shutdown(self) -> None:
        """Close the connection, after the response in progress if any."""
        if self._phase not in _BUSY:
            self.expire()
        elif self.cycle is not None:
            self.cycle.keep_alive = False

    def expire(self) -> None:
        """Close the connection without waiting for the client."""
        if self.is_opening or self._phase in _BUSY or self.transport.is_closing():
            self.abort()
        else:
            self.transport.close()

    def abort(self) -> None:
        """Close the connection immediately and discard unsent bytes."""
        if not self.is_opening:
            self.transport.abort()
        elif self.opening is not None:
            self.opening.cancel()
