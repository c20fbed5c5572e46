"""An httpx transport to an ASGI application in the same process and event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp, Message


class InProcessTransport(httpx.AsyncBaseTransport):
    """Passes requests to ``app``. An incomplete response is a broken connection.

    Unlike ``httpx.ASGITransport``, it raises ``httpx.ReadError`` after the received part of such a
    body. A response is passed on when the application has returned.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the response of the application."""
        messages: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": await request.aread(), "more_body": False}

        async def send(message: Message) -> None:
            messages.append(message)

        url = request.url
        scope = {
            "type": "http",
            "method": request.method,
            "scheme": url.scheme,
            "path": url.path,
            "query_string": url.query,
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
        }
        await self._app(scope, receive, send)
        if not messages:
            raise httpx.ReadError("the connection broke before the response")
        start, *chunks = messages
        body = b"".join(chunk.get("body", b"") for chunk in chunks)
        complete = bool(chunks) and not chunks[-1].get("more_body", False)
        return httpx.Response(
            start["status"], headers=start["headers"], stream=_Body(body, complete=complete)
        )


class _Body(httpx.AsyncByteStream):
    def __init__(self, body: bytes, *, complete: bool) -> None:
        self._body = body
        self._complete = complete

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._body
        if not self._complete:
            raise httpx.ReadError("the connection broke in the middle of the body")
