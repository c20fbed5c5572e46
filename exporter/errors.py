"""The exceptions of this program.

::

    ExporterError
    ├── ConfigurationError      all problems of a configuration
    ├── StartUpError            an address in use, a file that cannot be written
    ├── CredentialsError        credentials that can no longer be read
    │   ├── TokenUnreadable         the file with the identity provider's token
    │   ├── TokenRefused            the STS rejected the identity provider's token
    │   └── IdentityProviderFailed  the identity provider issued no token
    └── ApiError                a request or listing failed
        ├── RateLimited         429
        ├── OutOfBudget         the rate limit allows no request before the deadline
        ├── Unauthorized        401, or 403 for an unknown API key
        ├── Forbidden           403: the roles of the API key do not allow it
        ├── BadRequest          other 4xx
        ├── NotFound            404
        ├── ServerError         5xx
        ├── RequestTimeout      no complete response in time
        ├── ConnectionFailed    the connection failed or was closed
        ├── TlsFailed           the TLS handshake failed, or the certificate is not valid
        ├── InvalidResponse     a response that is not as documented
        └── PaginationError     a listing that loops, is endless or cannot be continued
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from exporter.escaping import escaped
from exporter.redaction import redacted


class ExporterError(Exception):
    """The base of all exceptions of this program. The message is meant for operators.

    Secrets, line breaks and control characters in ``lines`` are replaced.
    """

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(map(_safe, lines)))


def _safe(text: str) -> str:
    return escaped(redacted(text))


@dataclass(frozen=True, order=True)
class Problem:
    """One problem of a configuration and its location."""

    file: str
    line: int
    """From 1; 0 if the problem is the file itself."""
    path: str
    """Dotted path such as ``organizations[0].name``; empty for the whole document."""
    message: str
    """What is wrong and what is expected."""

    def __str__(self) -> str:
        place = f"{self.path}: " if self.path else ""
        line = f":{self.line}" if self.line else ""
        return _safe(f"{self.file}{line}: {place}{self.message}")


class ConfigurationError(ExporterError):
    """The configuration is not valid.

    ``problems``: all problems, sorted by line.
    """

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__(*map(str, self.problems))


class StartUpError(ExporterError):
    """The process cannot start. The message names the cause and the remedy."""


class CredentialsError(ExporterError):
    """Credentials cannot be read or exchanged, although they could be read at start.

    ``reason``: the value of the label ``reason``. ``request_id``: of the response that is the
    cause, None without one.
    """

    reason: ClassVar[str] = "credentials"

    def __init__(self, message: str, *, request_id: str | None = None) -> None:
        self.request_id = request_id
        super().__init__(message)


class TokenUnreadable(CredentialsError):
    """The file with the token of the identity provider cannot be read."""

    reason = "token_unreadable"


class TokenRefused(CredentialsError):
    """The STS rejected the token of the identity provider."""

    reason = "token_refused"


class IdentityProviderFailed(CredentialsError):
    """The identity provider issued no token."""

    reason = "identity_provider"


CREDENTIALS_FAILURE_REASONS: tuple[str, ...] = (
    CredentialsError.reason,
    *(error.reason for error in CredentialsError.__subclasses__()),
)
"""All values of the label ``reason`` for failures before any request to the API."""


class ApiError(ExporterError):
    """A request or a listing failed.

    ``reason``: the value of the label ``reason``. ``retry_in``: seconds after which the API allows
    a retry, 0 if unknown. ``request_id`` is not part of the message, so that repeated failures have
    the same message.
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
    """The API responded with 429."""

    reason = "rate_limited"


class OutOfBudget(ApiError):
    """No request was sent, because the rate limit allows none before the deadline."""

    reason = RateLimited.reason


class Unauthorized(ApiError):
    """The API rejected the credentials."""

    reason = "unauthorized"


class Forbidden(ApiError):
    """The credentials are valid, but their roles do not allow the request."""

    reason = "forbidden"


class BadRequest(ApiError):
    """The API rejected the request as malformed."""

    reason = "bad_request"


class NotFound(ApiError):
    """The path does not exist, or the API hides it."""

    reason = "not_found"


class ServerError(ApiError):
    """The API or a gateway in front of it failed."""

    reason = "server_error"


class RequestTimeout(ApiError):
    """No complete response within the timeout of the request or the refresh."""

    reason = "timeout"


class ConnectionFailed(ApiError):
    """The connection could not be established, or it was lost."""

    reason = "connection"


class TlsFailed(ApiError):
    """The TLS handshake failed, or the certificate of the server is not valid."""

    reason = "tls"


class InvalidResponse(ApiError):
    """A response body that is too large, truncated or not as documented."""

    reason = "invalid_response"


class PaginationError(ApiError):
    """A listing that cannot be followed to its end."""

    reason = "pagination"


REQUEST_FAILURE_REASONS: tuple[str, ...] = tuple(
    sorted({error.reason for error in ApiError.__subclasses__()})
)
"""All values of the label ``reason`` of request failures."""
