"""The way to an ASGI application in the same process and the same event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class InProcessTransport(httpx.AsyncBaseTransport):
    """As ``httpx.ASGITransport``, and an answer without an end is a broken connection.

    The part of the body that was sent is received before ``httpx.ReadError`` is raised.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass the request to the application and return its answer."""
        call = _Call(self._app)
        response = await httpx.ASGITransport(call).handle_async_request(request)
        if not call.broken:
            return response
        assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101 # ASGITransport's
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=_BrokenStream(response.stream),
        )


class _Call:
    """One call of an application, brought to an end if the application leaves it open."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.broken = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = complete = False

        async def watch(message: Message) -> None:
            nonlocal started, complete
            started = started or message["type"] == "http.response.start"
            complete = message["type"] == "http.response.body" and not message.get("more_body")
            await send(message)

        await self._app(scope, receive, watch)
        if not started:
            raise httpx.ReadError("the connection broke before the answer")
        if not complete:
            self.broken = True
            await send({"type": "http.response.body", "body": b"", "more_body": False})


class _BrokenStream(httpx.AsyncByteStream):
    def __init__(self, beginning: httpx.AsyncByteStream) -> None:
        self._beginning = beginning

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._beginning:
            yield chunk
        raise httpx.ReadError("the connection broke in the middle of the body")

    async def aclose(self) -> None:
        await self._beginning.aclose()
