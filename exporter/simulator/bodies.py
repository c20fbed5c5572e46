"""Reads the bodies of requests, and the form in one to a token endpoint."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from exporter.simulator.requests import header

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Receive, Scope

_MEDIA_TYPE = "application/x-www-form-urlencoded"
_MAX_BODY = 64 * 1024  # bytes
_MAX_FIELDS = 32
_TIMEOUT = 10.0  # seconds


class UnreadableBody(ValueError):
    """A body that cannot be read; the text says why. ``status``: that of the response."""

    def __init__(self, detail: str, *, status: int = 400) -> None:
        super().__init__(detail)
        self.status = status


async def read_form(scope: Scope, receive: Receive) -> Mapping[str, str]:
    """Return the fields of a form. Empty ones count as missing (RFC 6749 §3.2).

    Raises :class:`UnreadableBody` for another media type, and for a form that is too large,
    malformed, not complete after 10 seconds, or repeats a field.
    """
    media_type = (header(scope, "content-type") or "").partition(";")[0].strip().lower()
    if media_type != _MEDIA_TYPE:
        raise UnreadableBody(f"The Content-Type is not {_MEDIA_TYPE}.", status=415)
    body = await read_body(receive, noun="form")
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS
        )
    except ValueError:
        raise UnreadableBody("The form is malformed or has too many fields.") from None
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise UnreadableBody("The form has a field more than once.")
    return {name: value for name, value in fields.items() if value}


async def read_body(receive: Receive, *, noun: str) -> bytes:
    """Return the body of a request. ``noun``: what it is called in messages.

    Raises :class:`UnreadableBody` if it is too large, or not complete after 10 seconds.
    """
    try:
        async with asyncio.timeout(_TIMEOUT):
            return await _read_all(receive, noun)
    except TimeoutError:
        raise UnreadableBody(f"The {noun} is incomplete.", status=408) from None


async def _read_all(receive: Receive, noun: str) -> bytes:
    body = bytearray()
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > _MAX_BODY:
            raise UnreadableBody(f"The {noun} is larger than {_MAX_BODY} bytes.", status=413)
        more = message["type"] == "http.request" and message.get("more_body", False)
    return bytes(body)
