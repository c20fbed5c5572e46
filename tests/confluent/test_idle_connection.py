"""A connection without requests is closed, so that many organizations need few open files."""

from __future__ import annotations

import asyncio
import ssl
from typing import cast

import httpx
import pytest

from exporter.confluent.transport import OneConnectionTransport

pytestmark = pytest.mark.integration

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
TIMEOUT = 10.0
"""Seconds until a test fails."""


class Connection(asyncio.Protocol):
    """Answers every request, and tells when the client has opened and closed it."""

    def __init__(self, opened: asyncio.Queue[None], closed: asyncio.Queue[None]) -> None:
        self._opened, self._closed = opened, closed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._opened.put_nowait(None)

    def data_received(self, data: bytes) -> None:
        assert data.endswith(b"\r\n\r\n")
        self._transport.write(ANSWER)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 # as asyncio calls it
        self._closed.put_nowait(None)


@pytest.mark.parametrize("keepalive", [0.0, 0.2])
def test_an_idle_connection_is_closed_and_the_next_request_opens_another(keepalive: float) -> None:
    async def main() -> None:
        opened, closed = asyncio.Queue[None](), asyncio.Queue[None]()
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(lambda: Connection(opened, closed), "127.0.0.1", 0)
        request = httpx.Request("GET", f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        transport = OneConnectionTransport(context=context, keepalive=keepalive)
        async with listener, asyncio.timeout(TIMEOUT):
            for _ in range(2):
                response = await transport.handle_async_request(request)
                assert await response.aread() == b"ok"
                await opened.get()
                await closed.get()  # nothing else closes it
            assert opened.empty()

    asyncio.run(main())


def test_a_connection_in_use_is_not_closed() -> None:
    async def main() -> None:
        opened, closed = asyncio.Queue[None](), asyncio.Queue[None]()
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(lambda: Connection(opened, closed), "127.0.0.1", 0)
        request = httpx.Request("GET", f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        transport = OneConnectionTransport(context=context, keepalive=0.1)
        async with listener, asyncio.timeout(TIMEOUT):
            await (await transport.handle_async_request(request)).aread()
            response = await transport.handle_async_request(request)  # its body is not read yet
            with pytest.raises(TimeoutError):  # the timer of the first answer would end meanwhile
                await asyncio.wait_for(closed.get(), 0.2)
            assert await response.aread() == b"ok"
            await closed.get()
            assert opened.qsize() == 1

    asyncio.run(main())
