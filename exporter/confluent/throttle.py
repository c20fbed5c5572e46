"""When the next request may go, from what the API said last (design §6, facts §1.8).

The headers are integers, ``X-RateLimit-Reset`` and ``Retry-After`` count seconds from the answer.
Everything here comes from the network: what is absent, negative, infinite or not a number is as if
it had not been sent, and nothing makes anyone wait longer than :data:`MAX_WAIT` at a time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

MAX_WAIT = 3600.0
"""Seconds; the longest window we believe in."""
_MAX_COUNT = 2**53  # exact in a float, and so in a sample
ROUNDING = 1.0
"""Seconds; a window said to end in 3 s may end in 3.9 s, because the headers are whole numbers."""
_UNKNOWN_RESET = 60.0  # seconds; some response said what remains, but not for how long
_BACKOFF_CAP = 30.0


@dataclass(frozen=True)
class RateLimit:
    """What one response said of the rate limit; None for each header it did not send."""

    limit: int | None = None
    """Requests per window."""
    remaining: int | None = None
    """Requests left in the current window."""
    reset: float | None = None
    """Seconds until the window ends."""

    def is_empty(self) -> bool:
        """Whether the response had none of the headers."""
        return self.limit is None and self.remaining is None and self.reset is None


def read_rate_limit(headers: Mapping[str, str]) -> RateLimit:
    """Return the rate limit that ``headers`` (any case) speak of."""
    return RateLimit(
        limit=_count(headers.get("x-ratelimit-limit")),
        remaining=_count(headers.get("x-ratelimit-remaining")),
        reset=_seconds(headers.get("x-ratelimit-reset")),
    )


def read_retry_after(headers: Mapping[str, str], *, wall: float) -> float | None:
    """Return the seconds that ``Retry-After`` asks for, given as a number or as a date (RFC 9110).

    ``wall``: the Unix time a date is compared with.
    """
    value = headers.get("retry-after")
    if value is None:
        return None
    seconds = _seconds(value)
    if seconds is not None:
        return seconds
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - wall)
    except (ValueError, OverflowError, OSError):
        return None


def _seconds(value: str | None) -> float | None:
    try:
        seconds = float(value or "")
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _count(value: str | None) -> int | None:
    if value is None or not (value.isascii() and value.isdigit() and len(value) <= 16):  # noqa: PLR2004 # digits of 2**53
        return None
    return min(int(value), _MAX_COUNT)


@dataclass
class _Window:
    limit: int
    """Requests per window, as any response said last; 0 while none has."""
    remaining: int
    """As the API said last, less what was sent since."""
    ends: float
    """Monotonic seconds."""
    length: float
    """Seconds; the longest time to a reset that was seen, and at most the true length."""


class Throttle:
    """The budget of one organization, as far as it is known.

    The provider does not say whether its limits are per path or for all. Each endpoint's latest
    window is therefore kept, and a request waits for every one of them that is spent: right if they
    share a budget, and never greedy if they do not. A window of which no response spoke is taken to
    be like the one before.

    ``reserve``: the share of every window that is left to others.
    """

    def __init__(self, *, reserve: float, random: Random) -> None:
        self._reserve = reserve
        self._random = random
        self._windows: dict[str, _Window] = {}

    def sending(self, *, now: float) -> None:
        """Take in that a request is about to be sent: its answer may say nothing of the limit."""
        for window in self._windows.values():
            if window.limit and window.ends <= now:
                window.remaining, window.ends = window.limit, now + window.length + ROUNDING
            window.remaining -= 1

    def observe(self, endpoint: str, said: RateLimit, *, now: float) -> None:
        """Take in what a response to ``endpoint`` said at the monotonic time ``now``."""
        if said.remaining is None:
            return
        before = self._windows.get(endpoint)
        reset = min(said.reset if said.reset is not None else _UNKNOWN_RESET, MAX_WAIT)
        self._windows[endpoint] = _Window(
            limit=said.limit if said.limit is not None else before.limit if before else 0,
            remaining=said.remaining,
            ends=now + reset + ROUNDING,
            length=max(reset, before.length if before else 0.0),
        )

    def close(self, endpoint: str, seconds: float, *, now: float) -> None:
        """Take in that ``endpoint`` wants no request for ``seconds``."""
        before = self._windows.get(endpoint)
        ends = now + min(seconds, MAX_WAIT)
        self._windows[endpoint] = _Window(
            limit=before.limit if before else 0,
            remaining=0,
            ends=max(ends, before.ends) if before else ends,
            length=before.length if before else 0.0,
        )

    def wait(self, *, now: float) -> float:
        """Return the seconds to wait before a request, with jitter; 0 if it may go at once."""
        spent = [
            window.ends
            for window in self._windows.values()
            if window.remaining <= self._reserve * window.limit
        ]
        seconds = max(spent, default=now) - now
        return seconds + self._random.random() if seconds > 0 else 0.0

    def allowance(self, endpoint: str, seconds: float) -> Allowance | None:
        """Return what ``endpoint`` gives us at most within ``seconds``; None where not known."""
        window = self._windows.get(endpoint)
        if window is None or not window.limit or not window.length:
            return None
        return Allowance(
            limit=window.limit,
            window=window.length,
            share=window.limit - math.floor(self._reserve * window.limit),
            windows=math.floor(seconds / window.length) + 1,
        )


@dataclass(frozen=True)
class Allowance:
    """What a rate limit gives us in some time: ``share`` requests in each of ``windows``."""

    limit: int
    window: float
    """Seconds."""
    share: int
    windows: int


def backoff(attempt: int, *, random: Random) -> float:
    """Return the seconds before retry ``attempt`` (from 0): full jitter under 1, 2, 4 … 30 s."""
    return random.uniform(0, min(_BACKOFF_CAP, 2.0**attempt))


def patience(attempt: int, *, random: Random) -> float:
    """Return the seconds after a 429 without signs: never soon, unlike :func:`backoff`."""
    least = min(_BACKOFF_CAP, 2.0**attempt)
    return random.uniform(least, 2 * least)
