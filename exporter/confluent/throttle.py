"""When the next request may go, from what the API said last.

``X-RateLimit-Reset`` and ``Retry-After`` count seconds from the answer. They come from the network:
nothing makes anyone wait longer than :data:`MAX_WAIT` at a time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

MAX_WAIT = 3600.0
"""Seconds; the longest window we believe in."""
ROUNDING = 1.0
"""Seconds; a window said to end in 3 s may end in 3.9 s, because the headers are whole numbers."""
_MOST_DOUBTS = 16
RETRY_AFTER = "Retry-After"
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

    def is_plausible(self) -> bool:
        """Whether ``reset`` can be the rest of a window, and not, for example, a Unix time."""
        return self.reset is None or self.reset <= MAX_WAIT


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
    source: str = "X-RateLimit-Reset"
    """What said when the window ends."""
    doubts: int = 0
    """Answers in a row that named the end of a spent window implausibly."""


@dataclass(frozen=True)
class Hold:
    """A time in which no request may be sent."""

    seconds: float
    source: str
    """The header or the status that said so."""

    @property
    def is_of_the_window(self) -> bool:
        """Whether the rate limit is the reason, not a failure."""
        return self.source != RETRY_AFTER


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
        self._paused: dict[str, float] = {}
        """Monotonic seconds, by endpoint, until which ``Retry-After`` wants no request."""

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
        limit = said.limit if said.limit is not None else before.limit if before else 0
        length = before.length if before else 0.0
        doubts = 0
        if said.is_plausible():
            reset = said.reset if said.reset is not None else _UNKNOWN_RESET
            length = max(reset, length)
        else:
            # Asked again after the longest window that was seen; ever later while it is spent.
            if said.remaining <= self._reserve * limit:
                doubts = min(before.doubts + 1 if before else 1, _MOST_DOUBTS)
            reset = min(MAX_WAIT, (length or _UNKNOWN_RESET) * 2.0 ** max(0, doubts - 1))
        self._windows[endpoint] = _Window(
            limit=limit,
            remaining=said.remaining,
            ends=now + reset + ROUNDING,
            length=length,
            doubts=doubts,
        )

    def pause(self, endpoint: str, seconds: float, *, now: float) -> None:
        """Take in that ``endpoint`` failed and wants no request for ``seconds``."""
        until = now + min(seconds, MAX_WAIT)
        self._paused[endpoint] = max(until, self._paused.get(endpoint, until))

    def close(self, endpoint: str, seconds: float, *, now: float) -> None:
        """Take in that ``endpoint`` wants no request for ``seconds``."""
        before = self._windows.get(endpoint)
        ends = now + min(seconds, MAX_WAIT)
        self._windows[endpoint] = _Window(
            limit=before.limit if before else 0,
            remaining=0,
            ends=max(ends, before.ends) if before else ends,
            length=before.length if before else 0.0,
            source="a 429",
        )

    def hold(self, endpoints: Iterable[str], *, now: float) -> Hold | None:
        """Return the wait before a request to any of ``endpoints``, with jitter.

        None if it may be sent at once.
        """
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
