"""Parses timestamps of the API and checks whether they are plausible."""

from __future__ import annotations

from datetime import UTC, datetime

_EARLIEST = datetime(2014, 1, 1, tzinfo=UTC).timestamp()
"""Confluent was founded in 2014. Earlier times are zero values of the API."""
CLOCK_SKEW = 300.0
"""Seconds that the clock of the API may be ahead."""
LONGEST_LIFE = 100 * 365 * 86_400.0
"""Seconds from now. A later expiry means never."""


def timestamp_of(text: object) -> float | None:
    """Return the Unix time of an RFC 3339 timestamp, or None for anything else.

    Fraction, ``T`` and offset are optional. A time without an offset is UTC.
    """
    if not isinstance(text, str) or len(text) < len("2006-01-02T15:04"):
        return None
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def plausible_creation(created_at: float | None, *, now: float) -> float | None:
    """Return ``created_at`` if it is plausible, else None."""
    if created_at is None or not _EARLIEST <= created_at <= now + CLOCK_SKEW:
        return None
    return created_at


def plausible_expiry(expires_at: float | None, *, now: float) -> float | None:
    """Return ``expires_at`` if it is plausible, else None."""
    if expires_at is None or not _EARLIEST <= expires_at <= now + LONGEST_LIFE:
        return None
    return expires_at
