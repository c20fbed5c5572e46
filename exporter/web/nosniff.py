"""Keeps browsers from guessing the type of a response."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

NOSNIFF = (b"x-content-type-options", b"nosniff")


def with_nosniff(app: ASGIApp) -> ASGIApp:
    """Return ``app`` with ``X-Content-Type-Options: nosniff`` on every response.

    Metrics and errors contain names from the network, which browsers must not interpret as markup.
    """

    async def with_header(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], NOSNIFF]
            await send(message)

        await app(scope, receive, send_with_header)

    return with_header
