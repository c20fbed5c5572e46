"""A response body that is sliced from shared bytes while it is sent.

A slow client may take minutes to read a body. Meanwhile the body holds only references to shared
bytes and a slice of its own, so that memory does not grow by a complete body for each client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SLICE = 64 * 1024
"""Bytes. While the client reads, one slice is in the write buffer and the next one is ready."""
WHOLE = 2 * SLICE + SLICE // 2
"""Bytes up to which a body is a single slice; enough for 5,000 compressed series."""


class Body:
    """Yields ``size`` bytes once, in slices of at most 64 KiB if there are more than 160 KiB."""

    def __init__(self, parts: Iterable[bytes], size: int) -> None:
        """``parts``: the bytes in parts of any length."""
        self.size = size
        self._slices = _slices(parts, WHOLE if size <= WHOLE else SLICE)

    def __iter__(self) -> Iterator[bytes]:
        return self._slices


def _slices(parts: Iterable[bytes], length: int) -> Iterator[bytes]:
    gathered: list[bytes | memoryview] = []
    space = length
    for part in parts:
        if len(part) < space:
            gathered.append(part)
            space -= len(part)
            continue
        rest = memoryview(part)
        while len(rest) >= space:
            gathered.append(rest[:space])
            rest, space = rest[space:], length
            yield b"".join(gathered)  # without a variable, which would keep it until the next slice
            gathered.clear()
        if rest:
            gathered.append(rest)
            space -= len(rest)
    if gathered:
        yield b"".join(gathered)
