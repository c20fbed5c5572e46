"""The first message of a TLS handshake, read before OpenSSL acts on it.

OpenSSL's default groups for the key exchange include finite fields of up to 8192 bits, with which
one handshake takes the server 100 ms of CPU and the client none: it can send any number as its key
("D(HE)at", CVE-2022-40735). Python's ``ssl`` can restrict a context to one group, but not to all
groups with elliptic curves.
"""

from __future__ import annotations

import struct

_RECORD_HEADER, _MESSAGE_HEADER = 5, 4
"""Bytes."""
_HANDSHAKE = 0x16
_CLIENT_HELLO = 1
_SUPPORTED_GROUPS, _KEY_SHARE = 10, 51
"""Extensions (RFC 8446 §4.2)."""
_MAX_SIZE = 16 * 1024
"""Bytes. A message takes less than 2 KiB, also with a post-quantum key."""
_FINITE_FIELDS = range(0x0100, 0x0200)
"""Groups of RFC 7919."""
_CURVES = frozenset({23, 24, 25, 29, 30})
"""P-256, P-384, P-521, X25519 and X448, all of which OpenSSL prefers to finite fields."""


class MalformedError(ValueError):
    """The bytes are not a ``ClientHello``."""


class ClientHello:
    """Collects the records of a ``ClientHello`` (RFC 8446 §4.1.2)."""

    def __init__(self) -> None:
        self.received = bytearray()
        """All bytes so far, perhaps with some that follow the message."""
        self._parsed = 0
        self._message = bytearray()

    def is_complete_with(self, received: bytes) -> bool:
        """Add ``received`` bytes; return whether the message is complete.

        Raises :class:`MalformedError`.
        """
        self.received += received
        while not self._is_complete():
            start = self._parsed + _RECORD_HEADER
            if len(self.received) < start:
                break
            kind, _version, length = struct.unpack_from("!BHH", self.received, self._parsed)
            if kind != _HANDSHAKE or length > _MAX_SIZE:
                raise MalformedError
            if len(self.received) < start + length:
                break
            self._message += self.received[start : start + length]
            self._parsed = start + length
        if self._is_complete():
            return True
        if len(self.received) > _MAX_SIZE:
            raise MalformedError
        return False

    def _is_complete(self) -> bool:
        size = len(self._message)
        return size >= _MESSAGE_HEADER and size >= self._end()

    def _end(self) -> int:
        return _MESSAGE_HEADER + int.from_bytes(self._message[1:_MESSAGE_HEADER], "big")

    def needs_finite_field(self) -> bool:
        """Whether OpenSSL would, or could, choose a finite field for this complete message.

        Raises :class:`MalformedError`.
        """
        if self._message[0] != _CLIENT_HELLO:
            raise MalformedError
        shares: set[int] = set()
        supported: set[int] = set()
        for kind, data in _extensions(_Reader(self._message[_MESSAGE_HEADER : self._end()])):
            if kind == _SUPPORTED_GROUPS:
                groups = data.vector(2)
                while groups:
                    supported.add(groups.number(2))
            elif kind == _KEY_SHARE:
                entries = data.vector(2)
                while entries:
                    shares.add(entries.number(2))
                    entries.vector(2)
        # OpenSSL uses the first key that it supports, and asks for another only if there is none.
        if not shares.isdisjoint(_FINITE_FIELDS):
            return True
        return not supported.isdisjoint(_FINITE_FIELDS) and supported.isdisjoint(_CURVES)


class _Reader:
    """Reads numbers and vectors; raises :class:`MalformedError` if there are too few bytes."""

    def __init__(self, data: bytes | bytearray) -> None:
        self._data = memoryview(bytes(data))

    def __bool__(self) -> bool:
        return bool(self._data)

    def skip(self, size: int) -> bytes:
        if len(self._data) < size:
            raise MalformedError
        taken, self._data = bytes(self._data[:size]), self._data[size:]
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.skip(size), "big")

    def vector(self, size: int) -> _Reader:
        """Return the content of a vector whose length takes ``size`` bytes."""
        return _Reader(self.skip(self.number(size)))


def _extensions(hello: _Reader) -> list[tuple[int, _Reader]]:
    hello.skip(2 + 32)  # version and random bytes
    hello.vector(1)  # session
    hello.vector(2)  # cipher suites
    hello.vector(1)  # compression methods
    if not hello:  # allowed up to TLS 1.2
        return []
    extensions, found = hello.vector(2), []
    while extensions:
        found.append((extensions.number(2), extensions.vector(2)))
    return found
