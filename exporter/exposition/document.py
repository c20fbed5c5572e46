"""Documents made of pieces: compressed once, copied by every scrape.

Prometheus wants all samples of a family together, so the families of all organizations are woven
into one document. One organization's lines of one family are a :class:`Piece`; those of all
organizations, with the header, are a :class:`Section`; the sections are the :class:`Document`.

Lines that are the same as before stay the same piece, and a section of the same pieces stays the
same section: only what has changed is compressed and summed up, however much there is. What the
clients do moves with every request; that is gathered into one section, by itself.

A piece is deflated by a compressor of its own and flushed to a byte boundary, so that pieces in a
row are one valid deflate stream (RFC 1951 §3.2.4). See :meth:`Document.gzip` for its end.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING

from exporter.exposition import text
from exporter.exposition.body import Body
from exporter.exposition.checksum import Checksum, checksum

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from exporter.exposition.catalogue import Metric
    from exporter.exposition.text import Format

_LEVEL = 6
_TAIL_LEVEL = 1  # compressed at every scrape, and small
_RAW_DEFLATE = -zlib.MAX_WBITS
_SMALL = 5 * 1024
"""Bytes. For more, CPython's ``zlib.crc32`` lets go of the interpreter's lock, and while refreshes
are rendered it takes milliseconds to get it back."""
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # RFC 1952 §2.3: no name, no time


@dataclass(frozen=True, eq=False)
class Piece:
    """Some lines, plain and deflated."""

    plain: bytes
    deflated: bytes
    checksum: Checksum | None
    """Of ``plain``; None for a small piece, where taking it anew is as fast as having it."""

    def behind(self, crc: int) -> int:
        """Return the CRC-32 of these lines behind bytes of which it is ``crc``."""
        if self.checksum is None:
            return zlib.crc32(self.plain, crc)
        return self.checksum.behind(crc)


Pieces = dict[str, Piece]
"""By key of the :class:`Block` they belong to."""


def piece(plain: bytes) -> Piece:
    """Return whole lines as a piece."""
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW_DEFLATE)
    return Piece(
        plain,
        compressor.compress(plain) + compressor.flush(zlib.Z_SYNC_FLUSH),
        checksum(zlib.crc32(plain), len(plain)) if len(plain) > _SMALL else None,
    )


def pieces(lines: Mapping[str, str], before: Pieces) -> Pieces:
    """Return what there are lines of as pieces: those of ``before`` that have the same."""
    found: Pieces = {}
    for key, some in lines.items():
        if some:
            plain, known = some.encode(), before.get(key)
            found[key] = piece(plain) if known is None or known.plain != plain else known
    return found


@dataclass(frozen=True)
class Block:
    """A header and the key of the pieces under it."""

    key: str
    header: Piece


@cache
def blocks(metrics: Sequence[Metric], form: Format) -> tuple[Block, ...]:
    """Return the blocks of ``metrics`` in their order."""
    return tuple(
        Block(key, piece(header.encode()))
        for metric in metrics
        for key, header in text.families(metric, form).items()
    )


@dataclass(frozen=True, eq=False)
class Section:
    """Pieces in a row, such as a header and the lines of all organizations under it."""

    row: tuple[Piece, ...]
    deflated: bytes
    size: int
    """Bytes, plain."""
    checksum: Checksum
    """Of them."""


Sections = dict[str, Section]
"""By key of their :class:`Block`, in the order of the document."""


def weave(
    layout: Iterable[Block], organizations: Sequence[Pieces], before: Mapping[str, Section]
) -> Sections:
    """Return the pieces of all ``organizations``, laid out by block.

    Sections of ``before`` are kept where the pieces are the same.
    """
    sections: Sections = {}
    for block in layout:
        found = [each[block.key] for each in organizations if block.key in each]
        if found:
            row, known = (block.header, *found), before.get(block.key)
            sections[block.key] = _section(row) if known is None or known.row != row else known
    return sections


def _section(row: tuple[Piece, ...]) -> Section:
    crc = 0
    for each in row:
        crc = each.behind(crc)
    size = sum(len(each.plain) for each in row)
    return Section(row, b"".join([each.deflated for each in row]), size, checksum(crc, size))


class Document:
    """Sections in a row."""

    def __init__(self, sections: Sequence[Section]) -> None:
        self._sections = sections
        self._size = sum(each.size for each in sections)
        self._deflated_size = sum(len(each.deflated) for each in sections)
        self._crc = 0
        for each in sections:
            self._crc = each.checksum.behind(self._crc)

    def plain(self, tail: bytes) -> Body:
        """Return the document followed by ``tail``."""
        lines = (each.plain for section in self._sections for each in section.row)
        return Body(chain(lines, (tail,)), self._size + len(tail))

    def gzip(self, tail: bytes) -> Body:
        """Return the document and ``tail`` as one gzip member, compressing only ``tail``."""
        end = zlib.compress(tail, _TAIL_LEVEL, _RAW_DEFLATE)
        crc = zlib.crc32(tail, self._crc)
        size = (self._size + len(tail)) & 0xFFFFFFFF
        end += crc.to_bytes(4, "little") + size.to_bytes(4, "little")
        deflated = (each.deflated for each in self._sections)
        return Body(
            chain((_GZIP_HEADER,), deflated, (end,)),
            len(_GZIP_HEADER) + self._deflated_size + len(end),
        )
