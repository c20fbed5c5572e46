"""What the headers of an answer say about the next request.

They come from the network and through gateways, which merge, repeat and annotate them. What cannot
be read counts as not sent.
"""

from __future__ import annotations

import math
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from exporter.confluent.throttle import RETRY_AFTER, RateLimit

if TYPE_CHECKING:
    from collections.abc import Mapping

LIMIT, REMAINING, RESET = "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"
_MAX_COUNT = 2**53  # exact in a float, and so in a sample
_MAX_ENTRIES = 32  # of a list; the rest is not looked at


def read_rate_limit(headers: Mapping[str, str]) -> RateLimit:
    """Return the rate limit in ``headers`` (any case).

    Envoy sends a list, ``20, 20;w=30``: the limit that applies, then each window's. A header that
    is sent twice arrives as a list too. The first limit counts, the smallest rest and the longest
    reset. A negative number is 0.
    """
    limits = _numbers(headers.get("x-ratelimit-limit"))
    remaining = _numbers(headers.get("x-ratelimit-remaining"))
    resets = _numbers(headers.get("x-ratelimit-reset"))
    return RateLimit(
        limit=_count(limits[0]) if limits else None,
        remaining=_count(min(remaining)) if remaining else None,
        reset=max(resets) if resets else None,
    )


def unusable_headers(headers: Mapping[str, str], read: RateLimit) -> dict[str, str]:
    """Return the headers of :func:`read_rate_limit` and ``Retry-After`` that were sent in vain.

    With their values: unreadable, or not plausible.
    """
    values = {LIMIT: read.limit, REMAINING: read.remaining, RESET: read.reset}
    unreadable = {name for name, value in values.items() if value is None}
    if not read.is_plausible():
        unreadable.add(RESET)
    if "retry-after" in headers and read_retry_after(headers, wall=0) is None:
        unreadable.add(RETRY_AFTER)
    return {name: headers[name.lower()] for name in unreadable if name.lower() in headers}


def read_retry_after(headers: Mapping[str, str], *, wall: float) -> float | None:
    """Return the seconds that ``Retry-After`` asks for, given as a number or as a date (RFC 9110).

    A date is that of the server's clock, as the answer's ``Date`` is. ``wall``: the Unix time it is
    compared with where the answer has none.
    """
    value = headers.get("retry-after")
    if value is None:
        return None
    if seconds := _numbers(value):
        return max(seconds)
    date = _date(value)
    if date is None:
        return None
    now = _date(headers.get("date", ""))
    return max(0.0, date - (wall if now is None else now))


def retry_in(headers: Mapping[str, str], *, throttled: bool, wall: float) -> float:
    """Return the seconds after which an answer allows the next request, 0 where it says nothing.

    ``throttled``: whether it is a 429, for which the end of the window counts too.
    """
    after = read_retry_after(headers, wall=wall) or 0.0
    read = read_rate_limit(headers)
    if throttled and read.is_plausible():
        after = max(after, read.reset or 0.0)
    return after


def _numbers(value: str | None) -> list[float]:
    """Return the numbers in a list whose entries may have parameters, none of them negative."""
    if value is None:
        return []
    entries = value.split(",", _MAX_ENTRIES)[:_MAX_ENTRIES]
    read = (_number(entry.partition(";")[0].strip()) for entry in entries)
    return [number for number in read if number is not None]


def _number(text: str) -> float | None:
    try:
        number = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        return None
    return max(0.0, number) if math.isfinite(number) else None


def _count(number: float) -> int:
    return min(int(number), _MAX_COUNT)


def _date(text: str) -> float | None:
    """Return the Unix time of an HTTP date, None where ``text`` is not one."""
    try:
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
