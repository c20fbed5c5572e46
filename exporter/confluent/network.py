"""TCP and TLS connections whose received bytes and name resolution can be observed."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import TYPE_CHECKING, Any

import httpcore
import httpx

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable


class UnresolvedHost(httpx.ConnectError):
    """The name of ``host`` could not be resolved."""

    def __init__(self, host: str, reason: str) -> None:
        self.host = host
        super().__init__(reason)


class NameResolutionTimeout(TimeoutError):
    """The name of ``host`` was not resolved in time."""

    def __init__(self, host: str) -> None:
        self.host = host
        super().__init__(host)


class Network(httpcore.AsyncNetworkBackend):
    """Opens connections with anyio.

    Naming the backend keeps httpcore from detecting the async library.
    """

    def __init__(self) -> None:
        self._backend = httpcore.AnyIOBackend()
        self.received = 0
        """Bytes read from all connections."""
        self.resolving = ""
        """The host name that is being resolved; empty otherwise."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 # the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to ``host``. Raises :class:`UnresolvedHost`."""
        await self._resolve(host, port)
        stream = await self._backend.connect_tcp(host, port, timeout, local_address, socket_options)
        return _CountedStream(stream, self)

    async def _resolve(self, host: str, port: int) -> None:
        """Resolve ``host`` first, because a failure to connect does not tell the cause.

        Connecting resolves it again; connections are few.
        """
        try:
            ipaddress.ip_address(host)
        except ValueError:
            self.resolving = host
        else:
            return
        try:
            await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except UnicodeError:  # a label of more than 63 characters, or an empty one
            raise UnresolvedHost(host, "not a valid host name") from None
        except OSError as error:
            raise UnresolvedHost(host, error.strerror or "unknown error") from error
        self.resolving = ""


class _CountedStream(httpcore.AsyncNetworkStream):
    """Adds the bytes read from ``stream`` to ``network.received``."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, network: Network) -> None:
        self._stream = stream
        self._network = network

    async def read(
        self,
        max_bytes: int,
        timeout: float | None = None,  # noqa: ASYNC109 # as above
    ) -> bytes:
        data = await self._stream.read(max_bytes, timeout)
        self._network.received += len(data)
        return data

    async def write(
        self,
        buffer: bytes,
        timeout: float | None = None,  # noqa: ASYNC109 # as above
    ) -> None:
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 # as above
    ) -> httpcore.AsyncNetworkStream:
        try:
            stream = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:  # anyio leaves the stream open when it is cancelled
            await self.aclose()
            raise
        return _CountedStream(stream, self._network)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 # the signature is httpcore's
        return self._stream.get_extra_info(info)
