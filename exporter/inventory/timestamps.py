"""Times as the API writes them, and which of them to believe."""

from __future__ import annotations

from datetime import UTC, datetime

_EARLIEST = datetime(2014, 1, 1, tzinfo=UTC).timestamp()
"""The provider was founded in that year; what is older is a zero value (facts §1.3)."""
CLOCK_SKEW = 300.0
"""Seconds that the API's clock may be ahead of ours."""
LONGEST_LIFE = 100 * 365 * 86_400.0
"""Seconds from now; what expires later is meant never to."""


def timestamp_of(text: object) -> float | None:
    """Return the Unix time of an RFC 3339 ``text``, with or without fraction, ``T`` and offset.

    None for anything else. A time without an offset is UTC.
    """
    if not isinstance(text, str) or len(text) < len("2006-01-02T15:04"):
        return None
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def believable_creation(created_at: float | None, *, now: float) -> float | None:
    """Return ``created_at`` if a key can have been created then, else None."""
    if created_at is None or not _EARLIEST <= created_at <= now + CLOCK_SKEW:
        return None
    return created_at


def believable_expiry(expires_at: float | None, *, now: float) -> float | None:
    """Return ``expires_at`` if a key can be meant to expire then, else None."""
    if expires_at is None or not _EARLIEST <= expires_at <= now + LONGEST_LIFE:
        return None
    return expires_at
