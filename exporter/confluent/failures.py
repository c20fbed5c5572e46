"""The error for an answer other than a 200: its cause and what to do about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from exporter.confluent.error_body import error_message
from exporter.confluent.headers import retry_after
from exporter.confluent.throttle import ROUNDING
from exporter.errors import (
    ApiError,
    BadRequest,
    Forbidden,
    InvalidResponse,
    NotFound,
    RateLimited,
    RequestTimeout,
    ServerError,
    Unauthorized,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.confluent.connection import Answer
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
        return re.sub("the API(?! key)", self.name, text).replace("`url`", f"`{self.setting}`")


API = Server("the API", "url")
IDENTITY_PROVIDER = Server("the identity provider", "token_url")
METRICS_API = Server("the Metrics API", "usage.url")


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
    message = f"{status_line(answer.status)}: {server.in_place_of_api(cause)}"
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


def status_line(status: int) -> str:
    """Return the status with its phrase, such as ``404 Not Found``."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
