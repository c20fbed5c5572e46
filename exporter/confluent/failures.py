"""What an answer, or the lack of one, means: each case with its cause and what to do about it."""

from __future__ import annotations

import os
import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx

from exporter.confluent.exchange import UnresolvedHost
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
from exporter.escaping import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.confluent.connection import Answer, Route


_BAD_KEY = (
    "the API key or its secret is not accepted. Is the secret that of this key? The key must be a"
    " Cloud API key (Cloud resource management), not that of a cluster, must still exist, and works"
    " some seconds after its creation"
)
_TOO_MANY = (
    "the clients that share this limit sent too many requests. If this exporter is the cause, raise"
    " `refresh_interval` or `rate_limit.reserve`"
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


def failure_of_transport(error: Exception, *, endpoint: str, route: Route) -> ApiError:
    """Return the error for a request that got no complete response."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError):
            return TlsFailed(f"TLS: {_tls_problem(cause, route)}", endpoint=endpoint)
    proxy = f"the proxy in {route.proxy}" if route.proxy else ""
    what = one_line(_system_cause(error) or str(error) or type(error).__name__, 200).rstrip(".")
    if isinstance(error, UnresolvedHost):
        message = (
            f"the name of {proxy or 'the API'} ({one_line(error.host, 255)}) could not be resolved:"
            f" {what}. Check DNS and {route.proxy or '`url`'}"
        )
    elif isinstance(error, httpx.ProxyError):
        remedy = (
            f"Correct the user and password in {route.proxy}"
            if what.startswith("407")
            else "Let the proxy allow CONNECT to the host of `url`"
        )
        message = f"{proxy} refused the connection: {what}. {remedy}"
    elif proxy and isinstance(error, httpx.ConnectError):
        where = f"{proxy} ({route.proxy_address})"
        message = f"no connection to {where}: {what}. Check the variable and the proxy"
    else:
        message = f"no complete answer: {what}. Check `url`, proxies and firewalls"
    return ConnectionFailed(message, endpoint=endpoint)


_NOT_YET_OR_NO_LONGER_VALID = frozenset({9, 10})
_WRONG_NAME = frozenset({62, 64})
_NO_TRUSTED_CA = frozenset({2, 18, 19, 20, 21, 27})
_RFC_5280 = range(78, 95)
"""The errors that only strict verification reports, by their numbers in OpenSSL's x509_vfy.h."""


def _tls_problem(error: ssl.SSLError, route: Route) -> str:
    """Return what is wrong, and which setting helps."""
    source = route.trust.source if route.trust else ""
    if not isinstance(error, ssl.SSLCertVerificationError):
        reason = error.reason or "handshake failed"
        return f"{reason}. Check `url`, proxies and firewalls"
    reason = one_line(error.verify_message, 200).rstrip(".")
    code = error.verify_code
    if code in _NO_TRUSTED_CA:
        remedy = f"add its certificate to `{source}`" if source else "name it in `tls.ca_file`"
        return f"the certificate's CA is not trusted ({reason}). If you trust it, {remedy}"
    if code in _RFC_5280 and route.trust and route.trust.is_strict:
        return (
            f"a certificate breaks RFC 5280 ({reason}). Have it reissued, or set `tls.strict` to"
            " false"
        )
    if code in _WRONG_NAME:
        return f"the certificate is for another host ({reason}). Check `url` and proxies"
    if code in _NOT_YET_OR_NO_LONGER_VALID:
        return f"{reason}. Renew the certificate, or correct the clock of this machine"
    return f"{reason}. Check the certificates of the server and `{source or 'tls.ca_file'}`"


def _system_cause(error: BaseException) -> str:
    """Return what the operating system said, such as ``Connection refused``; empty if nothing."""
    said = ""
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.errno:
            # asyncio puts an address into the text of its own errors; those of the resolver have
            # negative numbers.
            said = os.strerror(cause.errno) if cause.errno > 0 else cause.strerror or ""
    return said


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    for _ in range(10):
        if cause is None:
            return
        yield cause
        if isinstance(cause, BaseExceptionGroup):  # of the addresses of a host, all tried in vain
            cause = cause.exceptions[0]
        else:
            cause = cause.__cause__ or cause.__context__


def _status_line(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
