"""The body of a response, sliced from shared bytes while it is being sent.

A slow client may take minutes to read a body. Meanwhile it holds references to bytes that all
bodies share and one slice of its own, so that memory does not grow by a body per client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SLICE = 64 * 1024
"""Bytes."""


class Body:
    """Yields ``size`` bytes in slices of at most 64 KiB; can be iterated once."""

    def __init__(self, parts: Iterable[bytes], size: int) -> None:
        """``parts``: the bytes in pieces of any length."""
        self.size = size
        self._slices = _slices(parts)

    def __iter__(self) -> Iterator[bytes]:
        return self._slices


def _slices(parts: Iterable[bytes]) -> Iterator[bytes]:
    gathered: list[bytes | memoryview] = []
    room = SLICE
    for part in parts:
        if len(part) < room:
            gathered.append(part)
            room -= len(part)
            continue
        rest = memoryview(part)
        while len(rest) >= room:
            gathered.append(rest[:room])
            rest, room = rest[room:], SLICE
            yield b"".join(gathered)  # a variable would keep it alive until the next slice
            gathered.clear()
        if rest:
            gathered.append(rest)
            room -= len(rest)
    if gathered:
        yield b"".join(gathered)
