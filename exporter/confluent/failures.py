"""What an answer, or the lack of one, means: each case with its cause and what to do about it."""

from __future__ import annotations

import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING

from exporter.confluent.wire import error_message
from exporter.errors import (
    ApiError,
    BadRequest,
    ConnectionFailed,
    Forbidden,
    InvalidResponse,
    NotFound,
    RateLimited,
    ServerError,
    TlsFailed,
    Unauthorized,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


_BAD_KEY = (
    "the API key is not accepted. It must be a Cloud API key (Cloud resource management), not the"
    " key of a cluster, must still exist, and works some seconds after its creation"
)
_NO_ROLE = (
    "the API key is known, but its owner lacks the role. Give its service account the"
    " OrganizationAdmin role; without it the API hides keys"
)


def failure_of(
    status: int, body: bytes, *, endpoint: str, request_id: str | None, retry_in: float
) -> ApiError:
    """Return the error that a response with a ``status`` other than 200 stands for (facts §1.7)."""
    said = error_message(body)

    def error(kind: type[ApiError], cause: str) -> ApiError:
        message = f"{_status_line(status)}: {cause}" + (f". The API says: {said}" if said else "")
        return kind(
            message, endpoint=endpoint, status=status, request_id=request_id, retry_in=retry_in
        )

    match status:
        case HTTPStatus.UNAUTHORIZED:
            return error(Unauthorized, _BAD_KEY)
        case HTTPStatus.FORBIDDEN if "invalid api key" in said.lower():
            return error(Unauthorized, _BAD_KEY)
        case HTTPStatus.FORBIDDEN:
            return error(Forbidden, _NO_ROLE)
        case HTTPStatus.NOT_FOUND:
            return error(NotFound, "is `url` right, with the path prefix if there is one?")
        case HTTPStatus.TOO_MANY_REQUESTS:
            return error(RateLimited, "the API asks for fewer requests")
        case _ if 400 <= status < 500:  # noqa: PLR2004 # the class of client errors
            return error(BadRequest, "the API refuses the request; check `filters` and `page_size`")
        case _ if status >= 500:  # noqa: PLR2004 # the class of server errors
            return error(ServerError, "the API is failing; nothing to do but wait")
        case _:
            return error(InvalidResponse, "not an answer the API documents; is `url` right?")


def failure_of_transport(error: Exception, *, endpoint: str) -> ApiError:
    """Return the error for a request that got no complete response."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError):
            reason = getattr(cause, "verify_message", "") or cause.reason or "handshake failed"
            return TlsFailed(
                f"TLS: {reason}. Check `url`, proxies, and the certificates this machine trusts"
                " (SSL_CERT_FILE)",
                endpoint=endpoint,
            )
    what = str(error) or type(error).__name__
    return ConnectionFailed(
        f"no complete answer: {what}. Check `url`, DNS, proxies and firewalls", endpoint=endpoint
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    for _ in range(10):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__ or cause.__context__


def _status_line(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
