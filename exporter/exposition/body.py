"""The body of a response, cut out of shared bytes while it is being sent.

A client that reads slowly keeps its body for minutes. It then holds references to bytes that all
bodies share and at most one slice of its own, so that memory does not grow with the number of such
clients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SLICE = 64 * 1024
"""Bytes."""


class Body:
    """``size`` bytes, once, in slices of at most 64 KiB."""

    def __init__(self, parts: Iterable[bytes], size: int) -> None:
        """``parts``: the bytes in any division."""
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
            yield b"".join(gathered)  # in no variable, which would keep it until the next one
            gathered.clear()
        if rest:
            gathered.append(rest)
            room -= len(rest)
    if gathered:
        yield b"".join(gathered)
