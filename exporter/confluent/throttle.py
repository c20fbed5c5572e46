"""When the next request may be sent, according to the latest answers of the API.

The reset header and ``Retry-After`` count seconds from the answer. They come from the network, so
no single wait exceeds :data:`MAX_WAIT`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

MAX_WAIT = 3600.0
"""Seconds; a longer rate limit window is not plausible."""
ROUNDING = 1.0
"""Seconds. The headers are whole numbers: a window that ends in 3 s may end in 3.9 s."""
RETRY_AFTER = "Retry-After"
_TOO_MANY_REQUESTS = "a 429"
_DEFAULT_RESET = 60.0
"""Seconds; for an answer with the remaining requests and without a plausible reset."""
_MAX_DOUBLINGS = 16
_MAX_BACKOFF = 30.0
"""Seconds."""


@dataclass(frozen=True)
class RateLimitStatus:
    """The rate limit in one answer; None for each header that was absent or unreadable."""

    limit: int | None = None
    """Requests per window."""
    remaining: int | None = None
    """Requests left in the current window."""
    reset: float | None = None
    """Seconds until the window ends."""

    def is_empty(self) -> bool:
        """Whether the answer had none of the headers."""
        return self.limit is None and self.remaining is None and self.reset is None

    def is_plausible(self) -> bool:
        """Whether ``reset`` can be the rest of a window, and not, for example, a Unix time."""
        return self.reset is None or self.reset <= MAX_WAIT


@dataclass
class _Window:
    limit: int
    """Requests per window in the latest answer that had it; 0 without one."""
    remaining: int
    """Requests left in the latest answer, minus those sent since."""
    ends: float
    """Monotonic seconds."""
    length: float
    """Seconds; the longest reset so far, which is at most the true length."""
    source: str
    """The header or status that determined ``ends``."""
    implausible_resets: int = 0
    """Answers in a row with a spent window and an implausible reset."""


@dataclass(frozen=True)
class Hold:
    """A period in which no request may be sent."""

    seconds: float
    source: str
    """The header or status that determined it."""

    @property
    def is_rate_limit(self) -> bool:
        """Whether the rate limit is the cause, not the ``Retry-After`` of a failure."""
        return self.source != RETRY_AFTER


@dataclass(frozen=True)
class Allowance:
    """What the rate limit grants within a time: ``share`` requests in each of ``windows``."""

    limit: int
    """Requests per window for all clients."""
    window: float
    """Seconds."""
    share: int
    """Requests per window for the exporter."""
    windows: int


class Throttle:
    """Keeps a share of the rate limit of one host for other clients.

    The provider does not document whether a limit applies to one path or to all of them. Therefore
    each endpoint's latest window is kept, and a request waits for every window that is spent. That
    is exact for a shared limit and cautious for separate ones. Without new headers, a window is
    assumed to repeat.

    ``reserve``: the share of every window that is left to others. ``reset_header``: its name, for
    messages.
    """

    def __init__(self, *, reserve: float, reset_header: str, random: Random) -> None:
        self._reserve = reserve
        self._reset_header = reset_header
        self._random = random
        self._windows: dict[str, _Window] = {}
        """By endpoint."""
        self._paused: dict[str, float] = {}
        """By endpoint: monotonic seconds until which ``Retry-After`` allows no request."""

    def resume(self, previous: Throttle) -> None:
        """Continue with the windows and waits of ``previous``, which had the same limit."""
        self._windows.update(previous._windows)
        self._paused.update(previous._paused)

    def record_request(self, *, now: float) -> None:
        """Count a request that is about to be sent, since its answer may lack the headers."""
        for window in self._windows.values():
            if window.limit and window.ends <= now:
                window.remaining, window.ends = window.limit, now + window.length + ROUNDING
            window.remaining -= 1

    def record_answer(self, endpoint: str, status: RateLimitStatus, *, now: float) -> None:
        """Record the rate limit in an answer of ``endpoint``."""
        if status.remaining is None:
            return
        before = self._windows.get(endpoint)
        limit = status.limit if status.limit is not None else before.limit if before else 0
        length = before.length if before else 0.0
        implausible = 0
        if status.is_plausible():
            reset = status.reset if status.reset is not None else _DEFAULT_RESET
            length = max(reset, length)
        else:
            # Try again after the longest known window, then double the wait while it is spent.
            if status.remaining <= self._reserve * limit:
                implausible = min(before.implausible_resets + 1 if before else 1, _MAX_DOUBLINGS)
            reset = min(MAX_WAIT, (length or _DEFAULT_RESET) * 2.0 ** max(0, implausible - 1))
        self._windows[endpoint] = _Window(
            limit=limit,
            remaining=status.remaining,
            ends=now + reset + ROUNDING,
            length=length,
            source=self._reset_header,
            implausible_resets=implausible,
        )

    def hold_endpoint(self, endpoint: str, seconds: float, *, now: float) -> None:
        """Hold requests to ``endpoint`` for ``seconds``, after a failure with ``Retry-After``."""
        until = now + min(seconds, MAX_WAIT)
        self._paused[endpoint] = max(until, self._paused.get(endpoint, until))

    def hold_all(self, endpoint: str, seconds: float, *, now: float) -> None:
        """Hold all requests for ``seconds``, after a 429 of ``endpoint``."""
        before = self._windows.get(endpoint)
        ends = now + min(seconds, MAX_WAIT)
        self._windows[endpoint] = _Window(
            limit=before.limit if before else 0,
            remaining=0,
            ends=max(ends, before.ends) if before else ends,
            length=before.length if before else 0.0,
            source=_TOO_MANY_REQUESTS,
        )

    def hold(self, endpoints: Iterable[str], *, now: float) -> Hold | None:
        """Return how long requests to ``endpoints`` must wait, with jitter; None if not at all."""
        ends = {
            window.ends: window.source
            for window in self._windows.values()
            if window.remaining <= self._reserve * window.limit
        }
        ends |= {self._paused[each]: RETRY_AFTER for each in endpoints if each in self._paused}
        latest = max(ends, default=now)
        if latest <= now:
            return None
        return Hold(latest - now + self._random.random(), ends[latest])

    def allowance(self, endpoint: str, seconds: float) -> Allowance | None:
        """Return what ``endpoint`` grants at most within ``seconds``; None where unknown."""
        window = self._windows.get(endpoint)
        if window is None or not window.limit or not window.length:
            return None
        return Allowance(
            limit=window.limit,
            window=window.length,
            share=window.limit - math.floor(self._reserve * window.limit),
            windows=math.floor(seconds / window.length) + 1,
        )


def backoff(attempt: int, *, random: Random) -> float:
    """Return the seconds before retry ``attempt`` (from 0): full jitter under 1, 2, 4 … 30 s."""
    return random.uniform(0, min(_MAX_BACKOFF, 2.0**attempt))


def rate_limit_backoff(attempt: int, *, random: Random) -> float:
    """Return the seconds before retry ``attempt`` after a 429 without headers.

    Unlike :func:`backoff` it is never short: 1 to 2 s, then 2 to 4 s, and so on.
    """
    least = min(_MAX_BACKOFF, 2.0**attempt)
    return random.uniform(least, 2 * least)
