"""How requests are observed, for example by metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from exporter.confluent.throttle import RateLimitStatus


class Observer(Protocol):
    """Observes requests, failures, rate limits and waits."""

    def answered(self, endpoint: str, status: int | None, seconds: float) -> None:
        """Record a request that ended after ``seconds``; ``status`` is None without a response."""

    def failed(self, endpoint: str, reason: str) -> None:
        """Record that this request failed, or that its answer was unusable."""

    def rate_limit_observed(self, endpoint: str, status: RateLimitStatus) -> None:
        """Record the rate limit in a response."""

    def throttled(self, reason: str, seconds: float) -> None:
        """Record a wait of ``seconds``: ``reserve``, ``retry_after`` or ``backoff``."""
