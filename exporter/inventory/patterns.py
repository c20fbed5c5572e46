"""Shell-style patterns of ids."""

from __future__ import annotations

import re
from fnmatch import translate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_NOTHING = "(?!)"


def matcher(patterns: Iterable[str]) -> Callable[[str], object]:
    """Return a function that returns whether an id matches any of ``patterns``."""
    return re.compile(_any_of(patterns)).match


def first_match(entries: Sequence[Iterable[str]]) -> Callable[[str], int]:
    """Return a function that returns the position of the first entry with a pattern for an id.

    Without one, it returns the number of entries.
    """
    # One expression for all entries, because there may be hundreds.
    match = re.compile("|".join(f"({_any_of(patterns)})" for patterns in entries)).match

    def first(text: str) -> int:
        found = match(text)
        return len(entries) if found is None else (found.lastindex or 0) - 1

    return first


def _any_of(patterns: Iterable[str]) -> str:
    return "|".join(map(translate, patterns)) or _NOTHING
