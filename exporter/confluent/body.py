"""Reading a body of unknown size and honesty into memory, up to a bound.

The bound holds for what is received and for what it decompresses to, while it is read: neither a
large body nor a gzip bomb is ever held whole.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

_GZIP_MAGIC = b"\x1f\x8b"


async def read_body(chunks: AsyncIterable[bytes], *, limit: int) -> bytes:
    """Return the body in ``chunks`` as it came over the wire, decompressed if it is gzip.

    gzip is told by its first two bytes, because error bodies come compressed without a
    ``Content-Encoding`` (facts §1.7), and no JSON or HTML begins with them.

    Raises ``ValueError`` with a sentence for a body above ``limit`` bytes or a broken gzip stream.
    """
    body = bytearray()
    decompressor = None
    async for chunk in chunks:
        if decompressor is None and len(body) < len(_GZIP_MAGIC):
            body += chunk
            if body.startswith(_GZIP_MAGIC):
                decompressor = zlib.decompressobj(wbits=zlib.MAX_WBITS + 16)
                body, compressed = bytearray(), bytes(body)
                body += _inflate(decompressor, compressed, room=limit)
        elif decompressor is not None:
            if decompressor.eof and chunk:  # zlib would keep it, without a bound
                raise ValueError("there is something after the gzip stream of the body")
            body += _inflate(decompressor, chunk, room=limit - len(body))
        else:
            body += chunk
        if len(body) > limit:
            raise ValueError(
                f"the body exceeds {limit} bytes; raise `max_response_bytes` if that is right"
            )
    if decompressor is not None and not decompressor.eof:
        raise ValueError("the gzip stream of the body ends too early")
    return bytes(body)


def _inflate(decompressor: zlib._Decompress, chunk: bytes, *, room: int) -> bytes:
    try:
        return decompressor.decompress(chunk, room + 1)  # one byte more tells that it is too large
    except zlib.error as error:
        raise ValueError(f"the gzip stream of the body is broken ({error})") from None
