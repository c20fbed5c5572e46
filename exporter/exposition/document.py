"""Exposition documents assembled from chunks that are compressed once and copied by every scrape.

Prometheus wants all samples of a family together, so one document holds the families of all
organizations. A :class:`Chunk` is one organization's lines of one family. A :class:`Section` is a
header, or the chunks of one group of organizations (:mod:`exporter.exposition.groups`). A
:class:`Family` is a header and the sections of all groups. A :class:`Document` is a sequence of
families.

Unchanged lines keep their chunk, unchanged chunks keep their section, and unchanged sections keep
their family. Only changes are compressed and checksummed, however large the document is. The
client's metrics change with every request, so the caller assembles them separately.

Each chunk is compressed by its own compressor and flushed to a byte boundary. A sequence of chunks
is therefore a valid deflate stream (RFC 1951 §3.2.4). :meth:`Document.gzip` adds its end.
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
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from exporter.exposition.catalogue import Metric
    from exporter.exposition.text import Format

_LEVEL = 6
_TAIL_LEVEL = 1  # compressed at every scrape, and small
_RAW_DEFLATE = -zlib.MAX_WBITS
_SMALL = 5 * 1024
"""Bytes. Above this size, CPython's ``zlib.crc32`` releases the GIL. Getting it back takes
milliseconds while a refresh is being rendered."""
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # RFC 1952 §2.3: no name, no time


@dataclass(frozen=True, eq=False)
class Chunk:
    """Lines of one family, plain and compressed."""

    plain: bytes
    deflated: bytes
    checksum: Checksum | None
    """Of ``plain``; None for a small chunk, which ``zlib.crc32`` reads as fast."""

    def extend_crc(self, crc: int) -> int:
        """Return ``crc``, the CRC-32 of the preceding bytes, extended by this chunk."""
        if self.checksum is None:
            return zlib.crc32(self.plain, crc)
        return self.checksum.extend_crc(crc)


Chunks = dict[str, Chunk]
"""By the key of their :class:`Block`."""


def chunk(plain: bytes) -> Chunk:
    """Return the chunk of ``plain``, which are complete lines."""
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW_DEFLATE)
    return Chunk(
        plain,
        compressor.compress(plain) + compressor.flush(zlib.Z_SYNC_FLUSH),
        checksum(zlib.crc32(plain), len(plain)) if len(plain) > _SMALL else None,
    )


def chunks(lines: Mapping[str, str | None], before: Chunks) -> Chunks:
    """Return the chunks of all ``lines`` but empty ones, reusing unchanged ones of ``before``.

    None stands for unchanged lines.
    """
    result: Chunks = {}
    for key, text_ in lines.items():
        previous = before.get(key)
        if text_ is None:
            if previous is not None:
                result[key] = previous
        elif text_:
            plain = text_.encode()
            result[key] = previous if previous and previous.plain == plain else chunk(plain)
    return result


@dataclass(frozen=True, eq=False)
class Section:
    """Consecutive chunks of one family: its header, or the lines of a few organizations."""

    chunks: tuple[Chunk, ...]
    deflated: bytes
    size: int
    """Bytes, uncompressed."""
    checksum: Checksum
    """Of the uncompressed bytes."""


Sections = dict[str, Section]
"""By the key of their :class:`Block`."""


def section(row: tuple[Chunk, ...]) -> Section:
    """Return the section of ``row``."""
    crc = 0
    for each in row:
        crc = each.extend_crc(crc)
    size = sum(len(each.plain) for each in row)
    return Section(row, b"".join([each.deflated for each in row]), size, checksum(crc, size))


def sections(organizations: Iterable[Chunks], before: Sections) -> Sections:
    """Return the sections with the chunks of ``organizations``, reusing unchanged ones."""
    rows: dict[str, list[Chunk]] = {}
    for each in organizations:
        for key, one in each.items():
            rows.setdefault(key, []).append(one)
    result: Sections = {}
    for key, found in rows.items():
        row, previous = tuple(found), before.get(key)
        result[key] = previous if previous and previous.chunks == row else section(row)
    return result


@dataclass(frozen=True)
class Block:
    """The header of a family and the key of its chunks."""

    key: str
    header: Section


@cache
def blocks(metrics: Sequence[Metric], form: Format) -> tuple[Block, ...]:
    """Return the blocks of ``metrics``, in order."""
    return tuple(
        Block(key, section((chunk(header.encode()),)))
        for metric in metrics
        for key, header in text.families(metric, form).items()
    )


@dataclass(frozen=True, eq=False)
class Family:
    """A header, then the lines of all organizations."""

    sections: tuple[Section, ...]
    size: int
    """Bytes, uncompressed."""
    deflated_size: int
    checksum: Checksum
    """Of the uncompressed bytes."""


Families = dict[str, Family]
"""By the key of their :class:`Block`, in the order of the document."""


def assemble(
    layout: Iterable[Block], groups: Sequence[Sections], before: Mapping[str, Family]
) -> Families:
    """Return the families of ``layout`` with the sections of all ``groups``.

    Families without lines are left out. Unchanged ones of ``before`` are reused.
    """
    families: Families = {}
    for block in layout:
        found = [each[block.key] for each in groups if block.key in each]
        if found:
            row, previous = (block.header, *found), before.get(block.key)
            families[block.key] = (
                previous if previous and previous.sections == row else _family(row)
            )
    return families


def _family(row: tuple[Section, ...]) -> Family:
    crc = 0
    for each in row:
        crc = each.checksum.extend_crc(crc)
    size = sum(each.size for each in row)
    return Family(row, size, sum(len(each.deflated) for each in row), checksum(crc, size))


class Document:
    """Consecutive families."""

    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families
        self._size = sum(each.size for each in families)
        self._deflated_size = sum(each.deflated_size for each in families)
        self._crc = 0
        for each in families:
            self._crc = each.checksum.extend_crc(self._crc)

    def plain(self, tail: bytes) -> Body:
        """Return the document followed by ``tail``."""
        lines = (each.plain for section in self._sections() for each in section.chunks)
        return Body(chain(lines, (tail,)), self._size + len(tail))

    def gzip(self, tail: bytes) -> Body:
        """Return the document and ``tail`` as one gzip member, compressing only ``tail``."""
        end = zlib.compress(tail, _TAIL_LEVEL, _RAW_DEFLATE)
        crc = zlib.crc32(tail, self._crc)
        size = (self._size + len(tail)) & 0xFFFFFFFF
        end += crc.to_bytes(4, "little") + size.to_bytes(4, "little")
        deflated = (each.deflated for each in self._sections())
        return Body(
            chain((_GZIP_HEADER,), deflated, (end,)),
            len(_GZIP_HEADER) + self._deflated_size + len(end),
        )

    def _sections(self) -> Iterator[Section]:
        return (section for family in self._families for section in family.sections)
