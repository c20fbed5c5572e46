"""Reads a body into memory, up to a limit.

The limit applies to the bytes received and to the decompressed bytes while they are read, so
neither a large body nor a gzip bomb is ever held whole.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

_GZIP_MAGIC = b"\x1f\x8b"
_MAX_MEMBERS = 1000
"""Each takes time, even an empty one."""
_MAX_INFLATION = 2
"""Received bytes per decompressed byte. Only empty blocks make gzip exceed it."""


async def read_body(chunks: AsyncIterable[bytes], *, limit: int) -> bytes:
    """Return the body in ``chunks``, decompressed if it is gzip.

    Its first two bytes identify gzip, because the API compresses error bodies without a
    ``Content-Encoding`` (docs/confluent-cloud-api.md#errors). No JSON or HTML begins with them.

    Raises ``ValueError`` with a message for a body above ``limit`` bytes or a broken gzip stream.
    """
    body = bytearray()
    received = 0
    gzip: _Gzip | None = None
    async for chunk in chunks:
        received += len(chunk)
        if gzip is not None:
            body += gzip.inflate(chunk, limit=limit - len(body))
        elif len(body) < len(_GZIP_MAGIC):
            body += chunk
            if body.startswith(_GZIP_MAGIC):
                gzip = _Gzip()
                body = gzip.inflate(bytes(body), limit=limit)
        else:
            body += chunk
        if len(body) > limit or received > _MAX_INFLATION * limit:
            raise ValueError(
                f"the body exceeds {limit} bytes; raise `max_response_bytes` if that is expected"
            )
    if gzip is not None and not gzip.complete:
        raise ValueError("the gzip stream of the body ends too early")
    return bytes(body)


class _Gzip:
    """A gzip stream of one or more members (RFC 1952)."""

    def __init__(self) -> None:
        self._member = _member()
        self._members = 1

    @property
    def complete(self) -> bool:
        """Whether the stream may end here."""
        return self._member.eof

    def inflate(self, chunk: bytes, *, limit: int) -> bytearray:
        """Return the decompressed ``chunk``, cut after ``limit`` + 1 bytes."""
        inflated = bytearray()
        while chunk and len(inflated) <= limit:
            if self._member.eof:
                self._begin_member(chunk)
            try:
                inflated += self._member.decompress(chunk, limit + 1 - len(inflated))
            except zlib.error as error:
                raise ValueError(f"the gzip stream of the body is broken ({error})") from None
            chunk = self._member.unused_data
        return inflated

    def _begin_member(self, chunk: bytes) -> None:
        if chunk[:2] not in {_GZIP_MAGIC, _GZIP_MAGIC[:1]}:
            raise ValueError("the body continues after its gzip stream")
        if self._members == _MAX_MEMBERS:
            raise ValueError(f"the gzip stream of the body has more than {_MAX_MEMBERS} members")
        self._member = _member()
        self._members += 1


def _member() -> zlib._Decompress:
    return zlib.decompressobj(wbits=zlib.MAX_WBITS + 16)
