"""The error for a request without a usable response: its cause and what to do about it."""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING

import httpx

from exporter.confluent.network import NameResolutionTimeout, UnresolvedHost
from exporter.errors import (
    ApiError,
    ConnectionFailed,
    InvalidResponse,
    RequestTimeout,
    TlsFailed,
)
from exporter.escaping import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.confluent.connection import Route
    from exporter.confluent.failures import Server


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
