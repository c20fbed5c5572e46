"""Why a refresh failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.confluent.endpoints import STS
from exporter.errors import (
    CREDENTIALS_FAILURE_REASONS,
    REQUEST_FAILURE_REASONS,
    ApiError,
    ConnectionFailed,
    Forbidden,
    TlsFailed,
    Unauthorized,
)

if TYPE_CHECKING:
    from exporter.errors import CredentialsError

_INTERNAL = "internal"
REFRESH_FAILURE_REASONS: tuple[str, ...] = (
    *REQUEST_FAILURE_REASONS,
    *CREDENTIALS_FAILURE_REASONS,
    _INTERNAL,
)
"""Every value of the label ``reason`` of the refresh failures."""
_CREDENTIALS = frozenset({*CREDENTIALS_FAILURE_REASONS, Unauthorized.reason, Forbidden.reason})
_SHARED = _CREDENTIALS | {ConnectionFailed.reason, TlsFailed.reason}


@dataclass(frozen=True)
class Failure:
    """Why the latest refresh failed."""

    reason: str
    """Value of the label of that name."""
    message: str
    """Cause and remedy, for people."""
    request_id: str | None
    """The API's ``X-Request-Id``, for its support."""
    endpoint: str = ""
    """Of the request that failed; empty if none was sent."""

    def __str__(self) -> str:
        suffix = f" (X-Request-Id {self.request_id})" if self.request_id else ""
        return self.message + suffix

    @property
    def is_credentials_failure(self) -> bool:
        """Whether the credentials are missing, not accepted or lack a role."""
        return self.reason in _CREDENTIALS

    @property
    def affects_all_endpoints(self) -> bool:
        """Whether requests to any endpoint of the API would fail for the same reason."""
        return self.reason in _SHARED or self.endpoint == STS

    def is_like(self, other: Failure | None) -> bool:
        """Whether ``other`` has the same reason and message; the request may differ."""
        return other is not None and (self.reason, self.message) == (other.reason, other.message)


def failure_from(error: ApiError | CredentialsError) -> Failure:
    """Return the failure that ``error`` stands for."""
    endpoint = error.endpoint if isinstance(error, ApiError) else ""
    return Failure(error.reason, str(error), error.request_id, endpoint)


INTERNAL_FAILURE = Failure(_INTERNAL, "an error in the exporter itself; see its log", None)
