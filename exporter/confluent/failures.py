"""The error for an answer other than a 200, or for none: its cause and what to do about it."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx

from exporter.confluent.error_body import error_message
from exporter.confluent.headers import retry_after
from exporter.confluent.network import NameResolutionTimeout, UnresolvedHost
from exporter.confluent.throttle import ROUNDING
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
    from collections.abc import Iterator, Mapping

    from exporter.confluent.connection import Answer, Route
    from exporter.confluent.headers import HeaderDialect

_TOO_MANY = (
    "the clients that share this limit sent too many requests. If this exporter is the cause, raise"
    " `refresh_interval` or `rate_limit.reserve`"
)
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MEANINGS: dict[int, tuple[type[ApiError], str]] = {
    400: (BadRequest, "the API rejects the request"),
    401: (Unauthorized, "the API does not accept the credentials"),
    403: (Forbidden, "the credentials do not allow the request"),
    404: (
        NotFound,
        "the path does not exist; check `url`, and its path prefix if it has one",
    ),
    408: (RequestTimeout, "the API waited too long for the request"),
    429: (RateLimited, _TOO_MANY),
}


@dataclass(frozen=True)
class Server:
    """How messages name a host and the setting with its address."""

    name: str
    setting: str

    def in_place_of_api(self, text: str) -> str:
        """Return ``text``, a message about the API, as a message about this host."""
        return text.replace("the API", self.name).replace("`url`", f"`{self.setting}`")


API = Server("the API", "url")
IDENTITY_PROVIDER = Server("the identity provider", "token_url")


def failure_of(
    answer: Answer,
    *,
    endpoint: str,
    causes: Mapping[int, str],
    server: Server,
    dialect: HeaderDialect,
    wall: float,
) -> ApiError:
    """Return the error for an answer other than a 200; docs/confluent-cloud-api.md#errors.

    ``causes``: by status, the cause and the remedy where they depend on the request or its
    credentials. ``wall``: see :func:`~exporter.confluent.headers.retry_after`.
    """
    reported = error_message(answer.body)
    kind, cause = _meaning(answer.status, reported, causes)
    message = f"{_status_line(answer.status)}: {server.in_place_of_api(cause)}"
    name = server.name[0].upper() + server.name[1:]
    return kind(
        message + (f". {name} says: {reported}" if reported else ""),
        endpoint=endpoint,
        request_id=answer.request_id,
        retry_in=_retry_in(answer, dialect, wall=wall),
    )


def _meaning(status: int, reported: str, causes: Mapping[int, str]) -> tuple[type[ApiError], str]:
    if status == HTTPStatus.FORBIDDEN and "invalid api key" in reported.lower():
        status = HTTPStatus.UNAUTHORIZED
    if status in _MEANINGS:
        kind, cause = _MEANINGS[status]
        return kind, causes.get(status, cause)
    if status in REDIRECTS:
        return InvalidResponse, "a redirect, which was not followed; correct `url`"
    if 400 <= status < 500:  # noqa: PLR2004 # the class of client errors
        return BadRequest, "the API, or a proxy in front of it, rejects the request"
    if status >= 500:  # noqa: PLR2004 # the class of server errors
        return ServerError, "the API is failing; wait for it to recover"
    return InvalidResponse, "the API does not document this status; check `url`"


def _retry_in(answer: Answer, dialect: HeaderDialect, *, wall: float) -> float:
    """Return the seconds before the next request, 0 where the answer does not tell."""
    seconds = retry_after(answer.headers, wall=wall) or 0.0
    rate_limit = dialect.rate_limit(answer.headers)
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS and rate_limit.is_plausible():
        seconds = max(seconds, rate_limit.reset or 0.0)
    return seconds + ROUNDING if seconds else 0.0


def target_of(answer: Answer, *, endpoint: str, server: Server, hops_left: int) -> httpx.URL:
    """Return the target of the redirect ``answer``.

    Raises :class:`~exporter.errors.InvalidResponse` for another origin, which must not get the
    credentials, or without a hop left.
    """

    def error(message: str) -> InvalidResponse:
        text = f"{_status_line(answer.status)}: {server.in_place_of_api(message)}"
        return InvalidResponse(text, endpoint=endpoint, request_id=answer.request_id)

    configured = answer.url
    try:
        target = configured.join(answer.headers.get("location", ""))
    except httpx.InvalidURL:
        raise error("a redirect to an invalid address; check `url`") from None
    if (target.scheme, target.host, target.port) != (
        configured.scheme,
        configured.host,
        configured.port,
    ):
        raise error("a redirect to another origin, which was not followed. Correct `url`")
    if not hops_left:
        raise error("too many redirects in a row; check `url`")
    return target


def failure_of_transport(
    error: Exception, *, endpoint: str, server: Server, route: Route, timeout: float
) -> ApiError:
    """Return the error for a request without a complete and usable response.

    ``timeout``: the seconds that the request was given.
    """

    def text(message: str) -> str:
        return server.in_place_of_api(message)

    if isinstance(error, NameResolutionTimeout):
        message = (
            f"the name {error.host} was not resolved in time. Check DNS: its servers do not answer"
        )
        return RequestTimeout(message, endpoint=endpoint)
    if isinstance(error, TimeoutError):
        message = (
            f"no complete answer within the `request_timeout` of {timeout:g} s; raise it if the API"
            " is slow"
        )
        return RequestTimeout(text(message), endpoint=endpoint)
    if isinstance(error, ValueError):
        return InvalidResponse(str(error), endpoint=endpoint)
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError):
            return TlsFailed(f"TLS: {text(_tls_problem(cause, route))}", endpoint=endpoint)
    return ConnectionFailed(text(_connection_problem(error, route)), endpoint=endpoint)


def _connection_problem(error: Exception, route: Route) -> str:
    proxy = f"the proxy in {route.proxy}" if route.proxy else ""
    reason = one_line(_system_cause(error) or str(error) or type(error).__name__, 200).rstrip(".")
    if isinstance(error, UnresolvedHost):
        return (
            f"the name of {proxy or 'the API'} ({one_line(error.host, 255)}) could not be resolved:"
            f" {reason}. Check DNS and {route.proxy or '`url`'}"
        )
    if isinstance(error, httpx.ProxyError):
        remedy = (
            f"Correct the user and password in {route.proxy}"
            if reason.startswith("407")
            else "Let the proxy allow CONNECT to the host of `url`"
        )
        return f"{proxy} refused the connection: {reason}. {remedy}"
    if proxy and isinstance(error, httpx.ConnectError):
        where = f"{proxy} ({route.proxy_address})"
        return f"no connection to {where}: {reason}. Check the variable and the proxy"
    return f"no complete answer: {reason}. Check `url`, proxies and firewalls"


# The numbers are those of OpenSSL's x509_vfy.h.
_NOT_YET_OR_NO_LONGER_VALID = frozenset({9, 10})
_WRONG_NAME = frozenset({62, 64})
_NO_TRUSTED_CA = frozenset({2, 18, 19, 20, 21, 27})
_RFC_5280 = range(78, 95)
"""Only strict verification reports these."""


def _tls_problem(error: ssl.SSLError, route: Route) -> str:
    """Return the cause, and the setting that helps."""
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
    """Return the operating system's error, such as ``Connection refused``; empty if none."""
    text = ""
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.errno:
            # asyncio adds an address to the text of its own errors. The resolver's errors have
            # negative numbers.
            text = os.strerror(cause.errno) if cause.errno > 0 else cause.strerror or ""
    return text


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    for _ in range(10):
        if cause is None:
            return
        yield cause
        if isinstance(cause, BaseExceptionGroup):  # one error for each address of the host
            cause = cause.exceptions[0]
        else:
            cause = cause.__cause__ or cause.__context__


def _status_line(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
