"""A request to a host, the budget of one refresh for its requests, and who observes them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.confluent.credentials import Authentication
    from exporter.confluent.throttle import RateLimitStatus

_RETRIES = 10


@dataclass(frozen=True)
class Request:
    """A request without the address of its host and without credentials."""

    endpoint: str
    """The path template, which is also the value of the label of that name."""
    method: str = "GET"
    query: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    body: bytes = field(default=b"", repr=False)
    content_type: str = ""
    """Of ``body``."""
    repeatable: bool = True
    """Whether it may be sent again after the API may have received it."""


@dataclass
class Budget:
    """The deadline and the retries of one refresh on one host, and its requests so far."""

    authentication: Authentication
    """Of all its requests."""
    deadline: float
    """Monotonic seconds."""
    timeout: float
    """Seconds from the start of the refresh to the deadline."""
    setting: str = "refresh_timeout"
    """The name of the setting that ``timeout`` comes from, for messages."""
    low_priority: bool = False
    """Whether its requests wait while a prioritized refresh is running."""
    retries: int = _RETRIES
    """Retries left."""
    requests: Counter[str] = field(default_factory=Counter)
    """Requests sent, by endpoint."""
    failures: Counter[str] = field(default_factory=Counter)
    """Failed requests, by endpoint."""

    @property
    def limit_name(self) -> str:
        """The setting that limits the refresh and its value, for messages."""
        return f"`{self.setting}` of {self.timeout:.0f} s"

    def error_ratios(self) -> dict[str, float]:
        """Return failed requests ÷ all requests, by endpoint."""
        return {path: self.failures[path] / count for path, count in self.requests.items()}


class Observer(Protocol):
    """Observes requests, failures, rate limits and waits."""

    def request_ended(self, endpoint: str, status: int | None, seconds: float) -> None:
        """Record a request that ended after ``seconds``; ``status`` is None without a response."""

    def failed(self, endpoint: str, reason: str) -> None:
        """Record that this request failed, or that its answer was unusable."""

    def rate_limit_observed(self, endpoint: str, status: RateLimitStatus) -> None:
        """Record the rate limit in a response."""

    def throttled(self, reason: str, seconds: float) -> None:
        """Record a wait of ``seconds``: ``reserve``, ``retry_after`` or ``backoff``."""
