"""Everything that can go wrong, caught by meaning.

::

    ExporterError
    ├── ConfigurationError      the configuration, every mistake at once
    ├── StartUpError            an address in use, a file that cannot be written
    ├── CredentialsError        a secret file or variable that cannot be read any more
    └── ApiError                a request or a listing failed; carries what an operator needs
        ├── RateLimited         429
        ├── OutOfBudget         a wait for the rate limit that the deadline does not allow
        ├── Unauthorized        401, and 403 that says the key itself is unknown
        ├── Forbidden           403: the key is known, its role does not suffice
        ├── BadRequest          other 4xx
        ├── NotFound            404
        ├── ServerError         5xx
        ├── RequestTimeout      no complete answer in time
        ├── ConnectionFailed    no connection, or it broke
        ├── TlsFailed           the certificate or the handshake
        ├── InvalidResponse     an answer that is not what the API promises
        └── PaginationError     a listing that loops, never ends, or does not say how to continue
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from exporter.escaping import escaped
from exporter.redaction import redacted


class ExporterError(Exception):
    """Anything this program raises on purpose; its text is fit for an operator.

    Each of ``lines`` stays one line, without secrets and without what a terminal obeys.
    """

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(map(_safe, lines)))


def _safe(text: str) -> str:
    return escaped(redacted(text))


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake in a configuration, and where it stands."""

    file: str
    line: int
    """From 1; 0 where the problem is the file itself."""
    path: str
    """Dotted place inside the document, such as ``organizations[0].name``; empty for the whole."""
    message: str
    """What is wrong and what is expected."""

    def __str__(self) -> str:
        place = f"{self.path}: " if self.path else ""
        line = f":{self.line}" if self.line else ""
        return _safe(f"{self.file}{line}: {place}{self.message}")


class ConfigurationError(ExporterError):
    """The configuration cannot be used.

    ``problems`` holds every mistake, in the order of their lines.
    """

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__(*map(str, self.problems))


class StartUpError(ExporterError):
    """The process cannot begin its work; the text names the cause and the remedy."""


class CredentialsError(ExporterError):
    """Credentials that were there at start cannot be read now."""

    reason: ClassVar[str] = "credentials"


class ApiError(ExporterError):
    """A request, or the listing it belongs to, failed.

    ``reason`` is the value of the label of the same name; ``retry_in`` the seconds after which the
    API asks to be asked again, 0 where it says nothing. ``request_id`` is not in the text, so that
    the same failure has the same text each time.
    """

    reason: ClassVar[str] = "api"

    def __init__(
        self,
        message: str,
        *,
        endpoint: str,
        request_id: str | None = None,
        retry_in: float = 0.0,
        method: str = "GET",
    ) -> None:
        self.message = _safe(message)
        self.endpoint = endpoint
        self.request_id = request_id
        self.retry_in = retry_in
        self.method = method
        super().__init__(message)

    def __str__(self) -> str:
        return f"{self.method} {self.endpoint}: {self.message}"


class RateLimited(ApiError):
    """The API said 429."""

    reason = "rate_limited"


class OutOfBudget(ApiError):
    """No request was sent: the rate limit leaves us none before the deadline."""

    reason = RateLimited.reason


class Unauthorized(ApiError):
    """The credentials are not accepted."""

    reason = "unauthorized"


class Forbidden(ApiError):
    """The credentials are accepted, their role is not enough."""

    reason = "forbidden"


class BadRequest(ApiError):
    """The API does not understand the request."""

    reason = "bad_request"


class NotFound(ApiError):
    """The API does not know the path, or will not say that it does."""

    reason = "not_found"


class ServerError(ApiError):
    """The API, or something before it, is failing."""

    reason = "server_error"


class RequestTimeout(ApiError):
    """No complete answer within the request's or the refresh's time."""

    reason = "timeout"


class ConnectionFailed(ApiError):
    """The connection could not be made or broke."""

    reason = "connection"


class TlsFailed(ApiError):
    """The server's certificate or the TLS handshake was refused."""

    reason = "tls"


class InvalidResponse(ApiError):
    """A body that is too large, truncated, or not the promised shape."""

    reason = "invalid_response"


class PaginationError(ApiError):
    """A walk that cannot be followed to a true end."""

    reason = "pagination"


REQUEST_FAILURE_REASONS: tuple[str, ...] = tuple(
    sorted({error.reason for error in ApiError.__subclasses__()})
)
"""Every value of the label ``reason`` of the request failures."""
