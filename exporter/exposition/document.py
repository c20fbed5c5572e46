"""Documents made of pieces: compressed once, copied by every scrape.

Prometheus wants all samples of a family together, so the families of all organizations are woven
into one document. Each organization's lines of each family are a :class:`Piece`; weaving only
copies bytes, however many organizations there are.

A piece is deflated by a compressor of its own and flushed to a byte boundary, so that pieces in a
row are one valid deflate stream (RFC 1951 §3.2.4). See :meth:`Document.gzip` for its end.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from exporter.exposition import text
from exporter.exposition.text import Format

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from exporter.exposition.catalogue import Metric

_LEVEL = 6
_TAIL_LEVEL = 1  # compressed at every scrape, and small
_RAW_DEFLATE = -zlib.MAX_WBITS
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # RFC 1952 §2.3: no name, no time


@dataclass(frozen=True)
class Piece:
    """Some lines, plain and deflated."""

    plain: bytes
    deflated: bytes


Pieces = dict[str, Piece]
"""By key of the :class:`Block` they belong to."""


def piece(lines: str) -> Piece:
    """Return ``lines`` as a piece."""
    plain = lines.encode()
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW_DEFLATE)
    return Piece(plain, compressor.compress(plain) + compressor.flush(zlib.Z_SYNC_FLUSH))


def pieces(lines: Mapping[str, str]) -> Pieces:
    """Return what there are lines of as pieces."""
    return {key: piece(some) for key, some in lines.items() if some}


@dataclass(frozen=True)
class Block:
    """A header and the key of the pieces under it."""

    key: str
    header: Piece


@cache
def blocks(metrics: Sequence[Metric], form: Format) -> tuple[Block, ...]:
    """Return the blocks of ``metrics`` in their order."""
    return tuple(block for metric in metrics for block in _blocks(metric, form))


def _blocks(metric: Metric, form: Format) -> tuple[Block, ...]:
    if metric.type != "gaugehistogram":
        return (Block(metric.name, piece(text.header(metric, form))),)
    if form is Format.OPENMETRICS:
        head = text.header_lines(metric.name, "gaugehistogram", metric.help)
        return (Block(metric.name, piece(head)),)
    # The older format has no gauge histograms: as the client library writes them.
    parts = {
        "_bucket": ("", "histogram"),
        "_gcount": ("_gcount", "gauge"),
        "_gsum": ("_gsum", "gauge"),
    }
    return tuple(
        Block(metric.name + key, piece(text.header_lines(metric.name + suffix, kind, metric.help)))
        for key, (suffix, kind) in parts.items()
    )


@dataclass(frozen=True)
class Document:
    """Bytes that scrapes copy; plain in the pieces they came in, for hardly anybody asks so."""

    parts: tuple[bytes, ...] = ()
    size: int = 0
    """Bytes in ``parts``."""
    deflated: bytes = b""
    crc: int = 0
    """CRC-32 of ``parts``."""

    def plain(self, tail: bytes) -> bytes:
        """Return the document with ``tail`` behind it."""
        return b"".join((*self.parts, tail))

    def gzip(self, tail: bytes) -> bytes:
        """Return the document and ``tail`` as one gzip member, compressing only ``tail``."""
        compressor = zlib.compressobj(_TAIL_LEVEL, zlib.DEFLATED, _RAW_DEFLATE)
        end = compressor.compress(tail) + compressor.flush()
        crc = zlib.crc32(tail, self.crc)
        size = (self.size + len(tail)) & 0xFFFFFFFF
        trailer = crc.to_bytes(4, "little") + size.to_bytes(4, "little")
        return b"".join((_GZIP_HEADER, self.deflated, end, trailer))


def weave(layout: Iterable[Block], organizations: Sequence[Pieces], *, onto: Document) -> Document:
    """Return ``onto`` with the pieces of all ``organizations`` behind it, laid out by block."""
    row: list[Piece] = []
    for block in layout:
        found = [each[block.key] for each in organizations if block.key in each]
        if found:
            row += [block.header, *found]
    crc, size = onto.crc, onto.size
    for each in row:
        crc = zlib.crc32(each.plain, crc)
        size += len(each.plain)
    return Document(
        parts=(*onto.parts, *(each.plain for each in row)),
        size=size,
        deflated=b"".join((onto.deflated, *(each.deflated for each in row))),
        crc=crc,
    )
