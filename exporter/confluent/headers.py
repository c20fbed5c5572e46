"""What the headers of an answer tell about the next request.

Gateways merge, repeat and annotate these headers. A header that cannot be parsed counts as absent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from exporter.confluent.throttle import RETRY_AFTER, RateLimitStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import httpx

_MAX_COUNT = 2**53  # exact in a float, and so in a sample
_MAX_ENTRIES = 32  # of a list; the others are ignored


def first_limit(
    limits: Sequence[float], remaining: Sequence[float], resets: Sequence[float]
) -> RateLimitStatus:
    """Return the first limit, the smallest remainder and the longest reset.

    Envoy sends a list, ``20, 20;w=30``: the limit that applies, then the one of each window.
    """
    return RateLimitStatus(
        limit=_count(limits[0]) if limits else None,
        remaining=_count(min(remaining)) if remaining else None,
        reset=max(resets) if resets else None,
    )


def tightest_scope(
    limits: Sequence[float], remaining: Sequence[float], resets: Sequence[float]
) -> RateLimitStatus:
    """Return the scope with the smallest share left; of equal ones, the one that ends later.

    A host with several limits repeats the headers once for each, in the same order. If their
    numbers differ, the smallest numbers and the longest reset are combined, which is cautious.
    """
    if limits and len(limits) == len(remaining) == len(resets):
        scopes = zip(limits, remaining, resets, strict=True)
        limit, left, reset = min(scopes, key=lambda each: (each[1] / max(1.0, each[0]), -each[2]))
        return RateLimitStatus(limit=_count(limit), remaining=_count(left), reset=reset)
    return RateLimitStatus(
        limit=_count(min(limits)) if limits else None,
        remaining=_count(min(remaining)) if remaining else None,
        reset=max(resets) if resets else None,
    )


@dataclass(frozen=True)
class HeaderDialect:
    """How a host spells its rate limit."""

    limit: str
    """The header with the number of requests per window."""
    remaining: str
    """The header with the number of requests left in the window."""
    reset: str
    """The header with the seconds until the window ends."""
    combine: Callable[[Sequence[float], Sequence[float], Sequence[float]], RateLimitStatus] = (
        first_limit
    )
    """Makes one status of all numbers in ``limit``, ``remaining`` and ``reset``. A header that is
    sent several times arrives as one list. No number is negative."""

    def rate_limit(self, headers: httpx.Headers) -> RateLimitStatus:
        """Return the rate limit in ``headers``."""
        return self.combine(
            *(_numbers(headers.get(name)) for name in (self.limit, self.remaining, self.reset))
        )

    def unusable(self, headers: httpx.Headers, status: RateLimitStatus) -> dict[str, str]:
        """Return the headers that are unreadable or implausible, with their values.

        ``status``: what :meth:`rate_limit` returned for ``headers``.
        """
        values = {
            self.limit: status.limit,
            self.remaining: status.remaining,
            self.reset: status.reset,
        }
        unreadable = {name for name, value in values.items() if value is None}
        if not status.is_plausible():
            unreadable.add(self.reset)
        if RETRY_AFTER in headers and retry_after(headers, wall=0) is None:
            unreadable.add(RETRY_AFTER)
        return {name: headers[name] for name in unreadable if name in headers}


IAM = HeaderDialect("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
"""The headers of the API that lists API keys; docs/confluent-cloud-api.md#rate-limits."""


METRICS = HeaderDialect(
    "rateLimit-limit", "rateLimit-remaining", "rateLimit-reset", combine=tightest_scope
)
"""The headers of the Metrics API, which sends them once for each scope of its limits."""


def retry_after(headers: httpx.Headers, *, wall: float) -> float | None:
    """Return the seconds in ``Retry-After``, which is a number or a date (RFC 9110).

    A date is compared with the ``Date`` of the answer, because both come from the server's clock.
    ``wall``: the Unix time to compare it with in an answer without a ``Date``.
    """
    value = headers.get(RETRY_AFTER)
    if value is None:
        return None
    if seconds := _numbers(value):
        return max(seconds)
    date = _date(value)
    if date is None:
        return None
    now = _date(headers.get("Date", ""))
    return max(0.0, date - (wall if now is None else now))


def _numbers(value: str | None) -> list[float]:
    """Return the numbers in a list whose entries may have parameters; negative ones become 0."""
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
    """Return the Unix time of an HTTP date; None where ``text`` is not one."""
    try:
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
