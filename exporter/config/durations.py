"""Durations in the notation of Prometheus: ``30s``, ``5m``, ``1h30m``, ``90d``, ``2w``."""

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
_ONLY_WHOLE = frozenset({"y", "w"})  # 90d is easier to read than 12w6d
_LONGEST = 100 * _MILLISECONDS["y"]

# The lookahead requires at least one part, since each is optional. The number of digits is bounded
# because int() rejects very long numbers; the sum is checked against _LONGEST.
PATTERN = "^(?=.)" + "".join(f"([0-9]{{1,15}}{unit})?" for unit in _MILLISECONDS) + "$"
"""The regular expression of valid durations, for both JSON Schema and Python."""
_DURATION = re.compile(PATTERN)


def parse_duration(text: str) -> float:
    """Return the duration in ``text`` in seconds.

    Each unit may occur once, larger units first. A year has 365 days. Raises :class:`ValueError`
    with the predicate of a message to the user, such as "is too long; …".
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(
            "is not a valid duration; expected whole numbers with units, larger units first, such"
            " as `30s`, `5m`, `1h30m` or `90d`"
        )
    parts = zip(match.groups(), _MILLISECONDS.items(), strict=True)
    total = sum(int(part.removesuffix(unit)) * size for part, (unit, size) in parts if part)
    if total > _LONGEST:
        raise ValueError("is too long; expected at most `100y`")
    return total / 1000


def format_duration(seconds: float) -> str:
    """Return ``seconds`` as a duration, rounded to milliseconds; ``0s`` for zero."""
    rest = round(seconds * 1000)
    text = ""
    for unit, size in _MILLISECONDS.items():
        if unit in _ONLY_WHOLE and rest % size:
            continue
        count, rest = divmod(rest, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"
