"""What an answer, or the lack of one, means: each case with its cause and what to do about it."""

from __future__ import annotations

import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx

from exporter.confluent.headers import retry_in
from exporter.confluent.throttle import ROUNDING
from exporter.confluent.wire import error_message
from exporter.errors import (
    ApiError,
    BadRequest,
    ConnectionFailed,
    Forbidden,
    InvalidResponse,
    NotFound,
    RateLimited,
    RequestTimeout,
    ServerError,
    TlsFailed,
    Unauthorized,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.confluent.connection import Answer


_BAD_KEY = (
    "the API key or its secret is not accepted. Is the secret that of this key? The key must be a"
    " Cloud API key (Cloud resource management), not that of a cluster, must still exist, and works"
    " some seconds after its creation"
)
_TOO_MANY = (
    "too many requests by all who share the limit. If that is us, raise `refresh_interval` or"
    " `rate_limit.reserve`"
)
_NO_ROLE = (
    "the API key is known, but its owner lacks the role. Give its service account the"
    " OrganizationAdmin role; without it the API hides keys"
)

_NO_ROLE_HERE = (
    "the role does not allow this listing. OrganizationAdmin does; or switch off what it is for"
    " (`names`, `names.users`, `quotas`)"
)
_MEANINGS: dict[int, tuple[type[ApiError], str]] = {
    400: (BadRequest, "the API refuses the request; check `filters` and `page_size`"),
    401: (Unauthorized, _BAD_KEY),
    403: (Forbidden, _NO_ROLE),
    404: (NotFound, "no such path; check `url`, and its path prefix if there is one"),
    408: (RequestTimeout, "the API waited too long for the request"),
    429: (RateLimited, _TOO_MANY),
}


def failure_of(answer: Answer, *, endpoint: str, wall: float) -> ApiError:
    """Return the error that an answer with a status other than 200 stands for (facts §1.7).

    ``wall``: the Unix time that a date in ``Retry-After`` is compared with, where the answer has
    no ``Date``.
    """
    said = error_message(answer.body)
    kind, cause = _meaning(answer.status, said)
    if kind is Forbidden and endpoint != "/iam/v2/api-keys":
        cause = _NO_ROLE_HERE
    message = f"{_status_line(answer.status)}: {cause}"
    return kind(
        message + (f". The API says: {said}" if said else ""),
        endpoint=endpoint,
        request_id=answer.request_id,
        retry_in=_retry_in(answer, wall=wall),
    )


def _meaning(status: int, said: str) -> tuple[type[ApiError], str]:
    if status == HTTPStatus.FORBIDDEN and "invalid api key" in said.lower():
        return Unauthorized, _BAD_KEY
    if status in _MEANINGS:
        return _MEANINGS[status]
    if 400 <= status < 500:  # noqa: PLR2004 # the class of client errors
        return BadRequest, "the API, or a proxy before it, refuses the request"
    if status >= 500:  # noqa: PLR2004 # the class of server errors
        return ServerError, "the API is failing; nothing to do but wait"
    return InvalidResponse, "not an answer that the API documents; check `url`"


def _retry_in(answer: Answer, *, wall: float) -> float:
    throttled = answer.status == HTTPStatus.TOO_MANY_REQUESTS
    after = retry_in(answer.headers, throttled=throttled, wall=wall)
    return after + ROUNDING if after else 0.0


def target_of(answer: Answer, *, endpoint: str, hops_left: int) -> str:
    """Return where the redirect ``answer`` leads.

    Raises :class:`~exporter.errors.InvalidResponse` if that is another origin, for the credentials
    go nowhere else, or if no hop is left.
    """

    def error(message: str) -> InvalidResponse:
        text = f"{_status_line(answer.status)}: {message}"
        return InvalidResponse(text, endpoint=endpoint, request_id=answer.request_id)

    try:
        target = answer.url.join(answer.headers.get("location", ""))
    except httpx.InvalidURL:
        raise error("a redirect to no usable address; check `url`") from None
    ours = answer.url
    if (target.scheme, target.host, target.port) != (ours.scheme, ours.host, ours.port):
        raise error(
            "a redirect to another origin; nothing was sent there. Set `url` to the address that"
            " the API really has"
        )
    if not hops_left:
        raise error("too many redirects in a row; check `url`")
    return str(target)


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
    what = _system_cause(error) or str(error) or type(error).__name__
    return ConnectionFailed(
        f"no complete answer: {what}. Check `url`, DNS, proxies and firewalls", endpoint=endpoint
    )


def _system_cause(error: BaseException) -> str:
    """Return what the operating system said, such as ``Connection refused``; empty if nothing."""
    said = ""
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.errno:
            said = cause.strerror or ""
    return said


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
