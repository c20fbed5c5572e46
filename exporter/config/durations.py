"""Durations in the spelling of Prometheus: ``30s``, ``5m``, ``1h30m``, ``90d``, ``2w``."""

from __future__ import annotations

import re

_MILLISECONDS = {
    "y": 365 * 24 * 3_600_000,
    "w": 7 * 24 * 3_600_000,
    "d": 24 * 3_600_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1_000,
    "ms": 1,
}
_ONLY_WHOLE = frozenset({"y", "w"})  # 90d stays 90d: nobody reads 12w6d
_LONGEST = 100 * _MILLISECONDS["y"]

# Lookahead: at least one part, since each may be left out. The digits are bounded so that no
# number is too long to be read; the sum is checked against _LONGEST.
PATTERN = "^(?=.)" + "".join(f"([0-9]{{1,15}}{unit})?" for unit in _MILLISECONDS) + "$"
"""What :func:`parse_duration` reads, as a regular expression of JSON Schema and Python alike."""
_DURATION = re.compile(PATTERN)


def parse_duration(text: str) -> float:
    """Return the seconds that ``text`` stands for.

    Each unit at most once, the larger ones first. A year has 365 days. Raises :class:`ValueError`
    with a sentence for the person who wrote it.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(
            "is not a duration; expected whole numbers with units, the larger units first, such as"
            " `30s`, `5m`, `1h30m` or `90d`"
        )
    parts = zip(match.groups(), _MILLISECONDS.items(), strict=True)
    total = sum(int(part.removesuffix(unit)) * size for part, (unit, size) in parts if part)
    if total > _LONGEST:
        raise ValueError("is too long; expected at most `100y`")
    return total / 1000


def format_duration(seconds: float) -> str:
    """Return the shortest usual spelling of ``seconds``, to the millisecond; ``0s`` for nothing."""
    rest = round(seconds * 1000)
    text = ""
    for unit, size in _MILLISECONDS.items():
        if unit in _ONLY_WHOLE and rest % size:
            continue
        count, rest = divmod(rest, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"
