"""A request to a host, what authenticates it, the budget of its refresh, and who observes it."""

from __future__ import annotations

import math
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from exporter.confluent.throttle import RateLimitStatus
    from exporter.redaction import Redactor

FORM = "application/x-www-form-urlencoded"
"""The content type of requests for tokens (RFC 6749 §4.4.2, RFC 8693 §2.1)."""
_RETRIES = 10
_REPLACEMENTS = 3


@dataclass(frozen=True)
class Request:
    """A request without the address of its host and without credentials."""

    endpoint: str
    """The value of the label of that name, which is the path template unless ``path`` differs."""
    path: str | None = None
    """Follows the address of the host; None if it is ``endpoint``."""
    method: str = "GET"
    query: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    body: bytes = field(default=b"", repr=False)
    content_type: str = ""
    """Of ``body``."""
    repeatable: bool = True
    """Whether it may be sent again after the API may have received it."""
    follow_redirects: bool = True
    """Whether redirects within the configured origin are followed."""
    causes: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))
    """By status of an answer: the cause and the remedy, where the request knows them best."""


@dataclass(frozen=True)
class Authorization:
    """What authenticates one request."""

    headers: Mapping[str, str] = field(repr=False)
    redactors: Sequence[Redactor] = field(default=(), repr=False)
    """Remove the secrets that the host knows from an answer that repeats them."""
    causes: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))
    """By status of an answer: the cause and the remedy, where they depend on the credentials."""
    expires: float = math.inf
    """Monotonic seconds. The request must be sent before that."""


class Authentication(Protocol):
    """Authenticates the requests of one refresh, so that all of them act for one principal."""

    async def authorize(self, budget: Budget) -> Authorization:
        """Return an authorization that has not expired, for the next request within ``budget``.

        Raises :class:`~exporter.errors.ApiError` and
        :class:`~exporter.errors.CredentialsError`.
        """

    def refused(self, authorization: Authorization) -> bool:
        """Handle a 401 for ``authorization``; return whether another is worth one more attempt."""


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
    replacements: int = _REPLACEMENTS
    """Refused authorizations that may still be replaced."""
    requests: Counter[str] = field(default_factory=Counter)
    """Requests sent, by endpoint."""
    failures: Counter[str] = field(default_factory=Counter)
    """Failed requests, by endpoint."""

    @property
    def limit_name(self) -> str:
        """The setting that limits the refresh and its value, for messages."""
        return f"`{self.setting}` of {self.timeout:.0f} s"

    def replaces(self, refused: Authorization) -> bool:
        """Handle a 401 for ``refused``; return whether to try once more with another authorization.

        An API that refuses now and then would otherwise cost a token for each request.
        """
        if self.replacements == 0:
            return False
        self.replacements -= 1
        return self.authentication.refused(refused)

    @contextmanager
    def lent(self, authentication: Authentication) -> Iterator[Budget]:
        """Lend the rest to a request that this refresh needs before its own, such as for a token.

        Its requests, failures and retries count as those of this refresh.
        """
        lent = replace(self, authentication=authentication)
        try:
            yield lent
        finally:
            self.retries = lent.retries

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
