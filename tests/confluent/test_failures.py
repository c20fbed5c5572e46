"""The message for each way in which a request can fail."""

from __future__ import annotations

import errno
import socket
import ssl
from typing import TYPE_CHECKING

import httpx
import pytest

from exporter.confluent.connection import Answer, Route
from exporter.confluent.endpoints import API_KEYS, USERS
from exporter.confluent.failures import API, failure_of
from exporter.confluent.headers import IAM
from exporter.confluent.network import NameResolutionTimeout, UnresolvedHost
from exporter.confluent.transport_failures import failure_of_transport
from exporter.errors import (
    ApiError,
    BadRequest,
    ConnectionFailed,
    Forbidden,
    InvalidResponse,
    RateLimited,
    RequestTimeout,
    ServerError,
    TlsFailed,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

DIRECT = Route("", "", None)
PROXIED = Route("HTTPS_PROXY", "proxy.example:3128", None)


def answer(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(httpx.URL("https://api.example"), status, httpx.Headers(headers), body)


def failure(answered: Answer, endpoint: str = "/iam/v2/api-keys") -> ApiError:
    listing = next(each for each in (API_KEYS, USERS) if each.endpoint == endpoint)
    return failure_of(
        answered,
        endpoint=endpoint,
        causes=listing.causes,
        server=API,
        dialect=IAM,
        wall=1_790_000_000,
    )


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        (418, BadRequest, "418 I'm a Teapot: the API, or a proxy in front of it, rejects"),
        (499, BadRequest, "499: the API, or a proxy in front of it, rejects the request"),
        (500, ServerError, "500 Internal Server Error: the API is failing"),
        (599, ServerError, "599: the API is failing"),
        (202, InvalidResponse, "202 Accepted: the API does not document this status"),
    ],
)
def test_a_status_without_a_meaning_of_its_own_has_that_of_its_class(
    status: int, kind: type[ApiError], message: str
) -> None:
    failed = failure(answer(status))
    assert type(failed) is kind
    assert failed.message.startswith(message)


def test_a_403_for_another_listing_names_the_settings_that_disable_it() -> None:
    assert "disable the feature" not in failure(answer(403)).message
    failed = failure(answer(403), endpoint="/iam/v2/users")
    assert type(failed) is Forbidden
    assert "disable the feature that needs it (`names`, `names.users`, `quotas`)" in failed.message


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"Retry-After": "7"}, 8),
        ({"X-RateLimit-Reset": "20"}, 21),
        ({"Retry-After": "7", "X-RateLimit-Reset": "20"}, 21),
        ({"Retry-After": "7", "X-RateLimit-Reset": "1790000060"}, 8),
    ],
)
def test_a_429_waits_for_the_latest_of_its_headers(headers: dict[str, str], seconds: float) -> None:
    failed = failure(answer(429, headers=headers))
    assert type(failed) is RateLimited
    assert failed.retry_in == seconds


def test_the_reset_of_another_status_is_no_reason_to_wait() -> None:
    assert failure(answer(503, headers={"X-RateLimit-Reset": "20"})).retry_in == 0


@pytest.mark.parametrize(
    ("body", "reported"),
    [
        (b'{"errors": [{"code": "a", "title": "b", "detail": "c"}]}', "a: b: c"),
        (b'{"errors": [{"detail": "c"}, {"detail": "c"}, {"detail": "d"}]}', "c: d"),
        (b'{"error": {"code": 403, "message": "invalid API key"}}', "invalid API key"),
        (b'{"error": "no", "message": "none"}', "no: none"),
        (b'{"error_code": 40301, "message": "none"}', "none"),
    ],
)
def test_the_message_of_the_api_is_quoted_in_every_known_shape(body: bytes, reported: str) -> None:
    assert failure(answer(400, body)).message.endswith(f". The API says: {reported}")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"errors": "x"}', b"[" * 5000])
def test_a_body_of_another_shape_is_not_quoted(body: bytes) -> None:
    assert "The API says" not in failure(answer(400, body)).message


def transport_failure(error: Exception, route: Route = DIRECT) -> ApiError:
    return failure_of_transport(error, server=API, endpoint="/any", route=route, timeout=10)


def caused(error: Exception, *causes: BaseException) -> Exception:
    """Return ``error`` with a chain of ``causes``."""
    innermost: BaseException = error
    for cause in causes:
        innermost.__cause__ = innermost = cause
    return error


def handshake_error() -> ssl.SSLError:
    error = ssl.SSLError(1, "handshake failure")
    error.reason = ""
    return error


REFUSED = OSError(errno.ECONNREFUSED, "Connect call failed ('10.0.0.1', 443)")


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (
            NameResolutionTimeout("api.example"),
            RequestTimeout,
            "the name api.example was not resolved in time. Check DNS: its servers do not answer",
        ),
        (
            TimeoutError(),
            RequestTimeout,
            "no complete answer within the `request_timeout` of 10 s; raise it if the API is slow",
        ),
        (ValueError("too large"), InvalidResponse, "too large"),
        (
            caused(httpx.ConnectError("All attempts failed"), OSError("all"), REFUSED),
            ConnectionFailed,
            "no complete answer: Connection refused. Check `url`, proxies and firewalls",
        ),
        (
            caused(httpx.ConnectError("x"), ExceptionGroup("each address", [REFUSED, REFUSED])),
            ConnectionFailed,
            "no complete answer: Connection refused. Check `url`, proxies and firewalls",
        ),
        (
            caused(httpx.ConnectError("x"), socket.gaierror(socket.EAI_AGAIN, "Try again.")),
            ConnectionFailed,
            "no complete answer: Try again. Check `url`, proxies and firewalls",
        ),
        (
            httpx.ReadError(""),
            ConnectionFailed,
            "no complete answer: ReadError. Check `url`, proxies and firewalls",
        ),
        (
            caused(httpx.ReadError("broke"), *[RuntimeError() for _ in range(20)], REFUSED),
            ConnectionFailed,
            "no complete answer: broke. Check `url`, proxies and firewalls",
        ),
        (
            UnresolvedHost("api.example", "Name or service not known"),
            ConnectionFailed,
            (
                "the name of the API (api.example) could not be resolved: Name or service not"
                " known. Check DNS and `url`"
            ),
        ),
        (
            caused(httpx.ConnectError("x"), handshake_error()),
            TlsFailed,
            "TLS: handshake failed. Check `url`, proxies and firewalls",
        ),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_a_request_without_an_answer_names_its_cause(
    error: Exception, kind: type[ApiError], message: str
) -> None:
    failed = transport_failure(error)
    assert type(failed) is kind
    assert failed.message == message


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            UnresolvedHost("proxy.example", "Name or service not known"),
            (
                "the name of the proxy in HTTPS_PROXY (proxy.example) could not be resolved: Name"
                " or service not known. Check DNS and HTTPS_PROXY"
            ),
        ),
        (
            caused(httpx.ConnectError("x"), REFUSED),
            (
                "no connection to the proxy in HTTPS_PROXY (proxy.example:3128): Connection"
                " refused. Check the variable and the proxy"
            ),
        ),
        (
            httpx.ProxyError("407 Proxy Authentication Required"),
            (
                "the proxy in HTTPS_PROXY refused the connection: 407 Proxy Authentication"
                " Required. Correct the user and password in HTTPS_PROXY"
            ),
        ),
        (
            httpx.ProxyError("403 Forbidden"),
            (
                "the proxy in HTTPS_PROXY refused the connection: 403 Forbidden. Let the proxy"
                " allow CONNECT to the host of `url`"
            ),
        ),
        (
            httpx.ReadError("gone"),
            "no complete answer: gone. Check `url`, proxies and firewalls",
        ),
    ],
)
def test_behind_a_proxy_the_message_names_it_if_it_is_the_cause(
    error: Exception, message: str
) -> None:
    assert transport_failure(error, PROXIED).message == message


@pytest.mark.parametrize(
    ("code", "reason", "message"),
    [
        (10, "certificate has expired", "certificate has expired. Renew the certificate, or"),
        (9, "not yet valid", "not yet valid. Renew the certificate, or correct the clock"),
        (62, "hostname mismatch", "the certificate is for another host (hostname mismatch). Check"),
        (
            20,
            "no issuer.",
            "the certificate's CA is not trusted (no issuer). If you trust it, name",
        ),
        (
            85,
            "no key usage",
            "no key usage. Check the certificates of the server and `tls.ca_file`",
        ),
        (
            7,
            "bad signature",
            "bad signature. Check the certificates of the server and `tls.ca_file`",
        ),
    ],
)
def test_a_rejected_certificate_names_the_remedy(code: int, reason: str, message: str) -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, reason
    failed = transport_failure(caused(httpx.ConnectError("x"), error))
    assert type(failed) is TlsFailed
    assert failed.message.startswith(f"TLS: {message}")
