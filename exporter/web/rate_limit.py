"""The rate limit of the web configuration: a token bucket, as in golang.org/x/time/rate."""

from __future__ import annotations


class TokenBucket:
    """A bucket that starts with ``burst`` tokens and gains one every ``interval`` seconds.

    ``interval`` is greater than 0. ``now``: the current time, on any monotonic clock.
    """

    def __init__(self, *, interval: float, burst: int, now: float) -> None:
        self._interval, self._burst = interval, burst
        self._tokens, self._counted_at = float(burst), now

    def take(self, now: float) -> float:
        """Take a token and return 0, or return the seconds until one is available."""
        refilled = (now - self._counted_at) / self._interval
        tokens = min(self._burst, self._tokens + refilled)
        if tokens < 1:
            return (1 - tokens) * self._interval
        self._tokens, self._counted_at = tokens - 1, now
        return 0.0
