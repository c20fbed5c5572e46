"""An httpx transport with one connection and without httpcore's pool.

The pool serves many requests at once. It detects the async library several times a request, which
is slow where the package ``sniffio`` is not installed, and it counts a tunnel through a proxy as
open after its TLS handshake has failed. Here, requests come one after another.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import httpcore
import httpx

from exporter.confluent.network import Network

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterable, AsyncIterator, Callable

_KEEPALIVE = 5.0
"""Seconds after which an idle connection is closed."""


class ReusedConnectionClosed(httpx.NetworkError):
    """The server closed a reused connection before the first byte of a response.

    It has most likely not seen the request, because servers may close an idle connection at any
    time.
    """


class OneConnectionTransport(httpx.AsyncBaseTransport):
    """Sends requests to one origin, one after another, over one connection.

    ``context`` verifies the server and, if that is asked over TLS, the ``proxy``. ``keepalive``:
    seconds after which an idle connection is closed, because 1,000 organizations would otherwise
    hold 1,000 connections until the server closes them. Raises the errors of httpx.
    """

    def __init__(
        self,
        *,
        context: ssl.SSLContext,
        proxy: httpx.URL | None = None,
        keepalive: float = _KEEPALIVE,
    ) -> None:
        self._network = Network()
        self._factory = _factory(context, proxy, self._network, keepalive)
        self._keepalive = keepalive
        self._connection: httpcore.AsyncConnectionInterface | None = None
        self._timer: asyncio.TimerHandle | None = None
        """Closes the connection when it has been idle for too long."""
        self._closing: asyncio.Task[None] | None = None
        """Kept, because the event loop refers to tasks only weakly."""

    @property
    def resolving(self) -> str:
        """The host name that is being resolved; empty otherwise."""
        return self._network.resolving

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the response to ``request``; its body is not read yet."""
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        self._cancel_timer()
        reused = await self._open_connection()
        connection = reused or self._factory.create_connection(url.origin)
        self._connection = connection
        received = self._network.received
        content = cast("AsyncIterable[bytes]", request.stream)
        try:
            response = await connection.handle_async_request(
                httpcore.Request(request.method, url, headers=request.headers.raw, content=content)
            )
        except _ERRORS as error:
            await self.aclose()
            if reused and self._network.received == received and isinstance(error, _CLOSED):
                raise ReusedConnectionClosed(str(error)) from error
            raise _converted(error) from error
        body = _Body(response.stream, self._start_timer)
        return httpx.Response(response.status, headers=response.headers, stream=body)

    async def _open_connection(self) -> httpcore.AsyncConnectionInterface | None:
        """Return the connection for the next request; None if it needs a new one."""
        connection = self._connection
        if connection is None:
            return None
        if connection.is_available() and not connection.has_expired():
            return connection
        await self.aclose()
        return None

    def _start_timer(self) -> None:
        """Close the connection unless a request uses it soon."""
        self._cancel_timer()
        connection = self._connection
        loop = asyncio.get_running_loop()

        def close() -> None:
            self._closing = loop.create_task(self._close_idle(connection))

        if connection is not None:
            self._timer = loop.call_later(self._keepalive, close)

    def _cancel_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    async def _close_idle(self, connection: httpcore.AsyncConnectionInterface | None) -> None:
        """Close ``connection``, unless a request has used or replaced it since."""
        if connection is not None and self._connection is connection and connection.is_idle():
            await self.aclose()

    async def aclose(self) -> None:
        """Close the connection."""
        self._cancel_timer()
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.aclose()


def _factory(
    context: ssl.SSLContext, proxy: httpx.URL | None, network: Network, keepalive: float
) -> httpcore.AsyncConnectionPool:
    """Return a pool that only makes connections."""
    if proxy is None:
        return httpcore.AsyncConnectionPool(
            ssl_context=context, keepalive_expiry=keepalive, network_backend=network
        )
    has_user = bool(proxy.userinfo)
    return httpcore.AsyncHTTPProxy(
        httpcore.URL(
            scheme=proxy.raw_scheme, host=proxy.raw_host, port=proxy.port, target=proxy.raw_path
        ),
        proxy_auth=(proxy.username.encode(), proxy.password.encode()) if has_user else None,
        ssl_context=context,
        proxy_ssl_context=context if proxy.scheme == "https" else None,
        keepalive_expiry=keepalive,
        network_backend=network,
    )


class _Body(httpx.AsyncByteStream):
    """The body of a response. ``on_closed`` is called when it has been closed."""

    def __init__(self, stream: object, on_closed: Callable[[], None]) -> None:
        self._stream = cast("httpx.AsyncByteStream", stream)
        self._on_closed = on_closed

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._stream:
                yield chunk
        except _ERRORS as error:
            raise _converted(error) from error

    async def aclose(self) -> None:
        await self._stream.aclose()
        self._on_closed()


_CLOSED = (httpcore.NetworkError, httpcore.RemoteProtocolError)
_CONVERSIONS: dict[type[Exception], type[httpx.TransportError]] = {
    # Timeouts of the operating system; this transport sets none.
    httpcore.ConnectTimeout: httpx.ConnectTimeout,
    httpcore.ReadTimeout: httpx.ReadTimeout,
    httpcore.WriteTimeout: httpx.WriteTimeout,
    httpcore.ConnectError: httpx.ConnectError,
    httpcore.ReadError: httpx.ReadError,
    httpcore.WriteError: httpx.WriteError,
    httpcore.ProxyError: httpx.ProxyError,
    httpcore.LocalProtocolError: httpx.LocalProtocolError,
    httpcore.RemoteProtocolError: httpx.RemoteProtocolError,
}
_ERRORS = tuple(_CONVERSIONS)


def _converted(error: Exception) -> httpx.TransportError:
    """Return the error of httpx for ``error``, which is one of httpcore."""
    return _CONVERSIONS[type(error)](str(error))
