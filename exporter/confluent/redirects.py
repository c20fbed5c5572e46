"""Redirects: which ones are followed, and where to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from exporter.confluent.failures import REDIRECTS, status_line
from exporter.errors import InvalidResponse

if TYPE_CHECKING:
    from exporter.confluent.connection import Answer
    from exporter.confluent.failures import Server
    from exporter.confluent.request import Request

MAX_REDIRECTS = 3
"""In a row."""
_WITH_METHOD = frozenset({307, 308})
"""These keep the method and the body (RFC 9110 §15.4)."""


def is_followed(request: Request, answer: Answer) -> bool:
    """Return whether ``answer`` is a redirect that ``request`` allows to follow."""
    redirects = REDIRECTS if request.method == "GET" else _WITH_METHOD
    return request.follow_redirects and answer.status in redirects


def target_of(answer: Answer, *, endpoint: str, server: Server, hops_left: int) -> httpx.URL:
    """Return the target of the redirect ``answer``.

    Raises :class:`~exporter.errors.InvalidResponse` for another origin, which must not get the
    credentials, or without a hop left.
    """

    def error(message: str) -> InvalidResponse:
        text = f"{status_line(answer.status)}: {server.in_place_of_api(message)}"
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
