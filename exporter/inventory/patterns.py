"""Shell-style patterns of ids."""

from __future__ import annotations

import re
from fnmatch import translate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_NOTHING = "(?!)"


def matcher(patterns: tuple[str, ...]) -> Callable[[str], object]:
    """Return a function that returns whether an id matches any of ``patterns``."""
    return re.compile("|".join(map(translate, patterns)) or _NOTHING).match
