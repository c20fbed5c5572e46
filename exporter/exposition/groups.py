"""Groups of organizations, whose sections are assembled again only after a change.

The checksum of a section needs the bytes of all its small chunks. With 1,000 organizations in one
section, a scrape after many refreshes would read the whole exposition, which takes about 0.1 s.
With groups, publishing an organization prepares the sections of its group, and a scrape only
combines the checksums of the groups.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition.document import sections

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.exposition.document import Chunks, Sections

GROUP_SIZE = 16
"""Number of organizations. A larger group costs more when one of them is published, and more groups
cost more at a scrape."""


class Groups:
    """The sections of all organizations, in groups of :data:`GROUP_SIZE`.

    Safe to use from several threads: cached sections are used only for the same chunks.
    """

    def __init__(self) -> None:
        self._assembled: dict[int, tuple[tuple[Chunks, ...], Sections]] = {}

    def all(self, organizations: Sequence[Chunks]) -> list[Sections]:
        """Return the sections of each group of ``organizations``, in order."""
        found = [
            self.group(number, organizations[start : start + GROUP_SIZE])
            for number, start in enumerate(range(0, len(organizations), GROUP_SIZE))
        ]
        for number in [each for each in list(self._assembled) if each >= len(found)]:
            del self._assembled[number]
        return found

    def group(self, number: int, organizations: Sequence[Chunks]) -> Sections:
        """Return the sections of group ``number``, which consists of ``organizations``."""
        chunks = tuple(organizations)
        before, assembled = self._assembled.get(number, ((), {}))
        if before != chunks:
            assembled = sections(chunks, assembled)
            self._assembled[number] = chunks, assembled
        return assembled


def group_at(position: int) -> tuple[int, slice]:
    """Return the number and the positions of the group with the organization at ``position``."""
    number = position // GROUP_SIZE
    return number, slice(number * GROUP_SIZE, (number + 1) * GROUP_SIZE)
