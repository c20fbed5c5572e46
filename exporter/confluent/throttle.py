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
_INSTANT = 0.001  # seconds; a sleeper that wakes a rounding error early need not sleep again
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
        return min(max(0.0, parsedate_to_datetime(value).timestamp() - wall), MAX_WAIT)
    except (ValueError, OverflowError, OSError):
        return None


def _seconds(value: str | None) -> float | None:
    try:
        seconds = float(value or "")
    except ValueError:
        return None
    return min(seconds, MAX_WAIT) if math.isfinite(seconds) and seconds >= 0 else None


def _count(value: str | None) -> int | None:
    if value is None or not (value.isascii() and value.isdigit() and len(value) <= 16):  # noqa: PLR2004 # digits of 2**53
        return None
    return min(int(value), _MAX_COUNT)


@dataclass
class _Window:
    remaining: int
    """As the API said last, less what was sent since."""
    floor: float
    """What belongs to others."""
    ends: float
    """Monotonic seconds."""


class Throttle:
    """The budget of one organization, as far as it is known.

    The provider does not say whether its limits are per path or for all. Each endpoint's latest
    window is therefore kept, and a request waits for every one of them that is spent: right if they
    share a budget, and never greedy if they do not.

    ``reserve``: the share of every window that is left to others.
    """

    def __init__(self, *, reserve: float, random: Random) -> None:
        self._reserve = reserve
        self._random = random
        self._windows: dict[str, _Window] = {}

    def sending(self) -> None:
        """Take in that a request is about to be sent: its answer may say nothing of the limit."""
        for window in self._windows.values():
            window.remaining -= 1

    def observe(self, endpoint: str, said: RateLimit, *, now: float) -> None:
        """Take in what a response to ``endpoint`` said at the monotonic time ``now``."""
        if said.remaining is None:
            return
        reset = said.reset if said.reset is not None else _UNKNOWN_RESET
        self._windows[endpoint] = _Window(
            remaining=said.remaining,
            floor=self._reserve * (said.limit or 0),
            ends=now + reset + ROUNDING,
        )

    def close(self, endpoint: str, seconds: float, *, now: float) -> None:
        """Take in that ``endpoint`` wants no request for ``seconds``."""
        window = self._windows.get(endpoint)
        ends = max(now + min(seconds, MAX_WAIT), window.ends if window else now)
        self._windows[endpoint] = _Window(remaining=0, floor=0, ends=ends)

    def wait(self, *, now: float) -> float:
        """Return the seconds to wait before a request, with jitter; 0 if it may go at once."""
        spent = [
            window.ends for window in self._windows.values() if window.remaining <= window.floor
        ]
        seconds = max(spent, default=now) - now
        return seconds + self._random.random() if seconds > 0 else 0.0


def backoff(attempt: int, *, random: Random) -> float:
    """Return the seconds before retry ``attempt`` (from 0): full jitter under 1, 2, 4 … 30 s."""
    return random.uniform(0, min(_BACKOFF_CAP, 2.0**attempt))


def patience(attempt: int, *, random: Random) -> float:
    """Return the seconds after a 429 without signs: never soon, unlike :func:`backoff`."""
    least = min(_BACKOFF_CAP, 2.0**attempt)
    return random.uniform(least, 2 * least)
