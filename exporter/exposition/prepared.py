"""What changes only when a refresh ends: rendered and compressed then, copied by every scrape.

Prometheus wants all samples of a family together, so the families of all organizations are woven
into one document. Each organization's lines of each family are a :class:`Piece`, made once per
refresh of that organization; weaving only copies bytes, however many organizations there are.

A piece is deflated by a compressor of its own and flushed to a byte boundary, so that pieces in a
row are one valid deflate stream (RFC 1951 §3.2.4). See :meth:`Document.gzip` for its end.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.exposition import catalogue, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    from exporter.exposition.catalogue import Metric
    from exporter.inventory import Inventory
    from exporter.refresh.state import OrganizationState

    Samples: TypeAlias = Iterable[tuple[Sequence[str], float]]

_LEVEL = 6
_TAIL_LEVEL = 1  # compressed at every scrape, and small
_RAW_DEFLATE = -zlib.MAX_WBITS
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # RFC 1952 §2.3: no name, no time


@dataclass(frozen=True)
class Piece:
    """Some lines, plain and deflated."""

    plain: bytes
    deflated: bytes


@dataclass(frozen=True)
class Rendered:
    """One organization's lines, by family."""

    pieces: Mapping[Metric, Piece]
    fresh_until: float
    """Monotonic seconds; from then on the inventory families are left out."""


@dataclass(frozen=True)
class Document:
    """The part of the exposition that scrapes copy."""

    plain: bytes = b""
    deflated: bytes = b""
    crc: int = 0
    """CRC-32 of ``plain``."""
    fresh_until: float = float("inf")
    """Monotonic seconds; from then on a part of it is too old to be served."""

    def gzip(self, tail: bytes) -> bytes:
        """Return ``plain + tail`` as one gzip member, compressing only ``tail``."""
        compressor = zlib.compressobj(_TAIL_LEVEL, zlib.DEFLATED, _RAW_DEFLATE)
        end = compressor.compress(tail) + compressor.flush()
        crc = zlib.crc32(tail, self.crc)
        size = (len(self.plain) + len(tail)) & 0xFFFFFFFF
        trailer = crc.to_bytes(4, "little") + size.to_bytes(4, "little")
        return b"".join((_GZIP_HEADER, self.deflated, end, trailer))


def render(state: OrganizationState) -> Rendered:
    """Return the lines of one organization. Takes time in proportion to its pairs."""
    samples: dict[Metric, Samples] = dict(_refresh_samples(state))
    if state.inventory is not None:
        samples |= _inventory_samples(state.name, state.inventory)
    lines = {metric: text.lines(metric, values) for metric, values in samples.items()}
    return Rendered(
        {metric: _piece(some) for metric, some in lines.items() if some}, state.fresh_until
    )


def weave(organizations: Sequence[Rendered], *, now: float) -> Document:
    """Return the document of all ``organizations`` at the monotonic time ``now``."""
    fresh = [each for each in organizations if now < each.fresh_until]
    pieces: list[Piece] = []
    for metric in catalogue.PREPARED:
        publishing = fresh if metric in catalogue.INVENTORY.metrics else organizations
        found = [each.pieces[metric] for each in publishing if metric in each.pieces]
        if found:
            pieces += [_HEADERS[metric], *found]
    plain = b"".join(piece.plain for piece in pieces)
    return Document(
        plain=plain,
        deflated=b"".join(piece.deflated for piece in pieces),
        crc=zlib.crc32(plain),
        fresh_until=min((each.fresh_until for each in fresh), default=float("inf")),
    )


def _piece(lines: str) -> Piece:
    plain = lines.encode()
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW_DEFLATE)
    return Piece(plain, compressor.compress(plain) + compressor.flush(zlib.Z_SYNC_FLUSH))


_HEADERS = {metric: _piece(text.header(metric)) for metric in catalogue.PREPARED}


def _refresh_samples(state: OrganizationState) -> Iterator[tuple[Metric, Samples]]:
    ended = {
        name: collector
        for name, collector in state.collectors.items()
        if collector.finished is not None
    }
    organization = state.name
    yield catalogue.UP, [((organization, name), one.up) for name, one in ended.items()]
    yield (
        catalogue.LAST_SUCCESS,
        [
            ((organization, name), one.succeeded)
            for name, one in ended.items()
            if one.succeeded is not None
        ],
    )
    yield (
        catalogue.REFRESH_DURATION,
        [
            ((organization, name), one.duration)
            for name, one in ended.items()
            if one.duration is not None
        ],
    )
    yield (
        catalogue.ERROR_RATIO,
        [
            ((organization, endpoint), ratio)
            for one in ended.values()
            for endpoint, ratio in one.error_ratios.items()
        ],
    )


def _inventory_samples(organization: str, inventory: Inventory) -> dict[Metric, Samples]:
    return {
        catalogue.ORGANIZATION_API_KEYS: [((organization,), inventory.total)],
        catalogue.OWNER_API_KEYS: (
            ((organization, *owner), count) for owner, count in inventory.owners.items()
        ),
        catalogue.RESOURCE_API_KEYS: (
            ((organization, *resource), count) for resource, count in inventory.resources.items()
        ),
        catalogue.PAIR_API_KEYS: (
            ((organization, *owner, *resource), count)
            for (owner, resource), count in inventory.pairs.items()
        ),
        catalogue.VANISHED: _where_known(organization, inventory.vanished),
        catalogue.VANISHED_RATIO: _where_known(organization, inventory.vanished_ratio),
        catalogue.COLLAPSED_PAIRS: [((organization,), inventory.collapsed_pairs)],
        catalogue.UNREADABLE_ITEMS: [((organization,), inventory.unreadable)],
    }


def _where_known(organization: str, value: float | None) -> Samples:
    return [] if value is None else [((organization,), value)]
