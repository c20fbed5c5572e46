"""What happens on the wire while one request is answered, as httpcore's trace reports it."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping


class UnresolvedHost(httpx.ConnectError):
    """The name of ``host`` could not be resolved."""

    def __init__(self, host: str, reason: str) -> None:
        self.host = host
        super().__init__(reason)


class NameResolutionTimeout(TimeoutError):
    """The time was over before the name of ``host`` was resolved."""

    def __init__(self, host: str) -> None:
        self.host = host
        super().__init__(host)


class Received:
    """Counts the bytes that arrive on a connection, over all of its requests."""

    def __init__(self) -> None:
        self.bytes = 0

    def watch(self, stream: Any) -> None:  # noqa: ANN401 # httpcore is not a dependency of ours
        """Count what ``stream.read`` returns from now on."""
        read: Callable[..., Awaitable[bytes]] = stream.read

        async def counting(*args: Any, **kwargs: Any) -> bytes:  # noqa: ANN401 # passed through
            data = await read(*args, **kwargs)
            self.bytes += len(data)
            return data

        stream.read = counting


class Exchange:
    """The trace of one request.

    httpx documents the request extension ``trace``: it is awaited with the name of each event.
    """

    def __init__(self, received: Received) -> None:
        self._received = received
        self._before = received.bytes
        self._connected = False
        self._sent = False
        self.resolving = ""
        """The host whose name is being resolved."""

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        """Take in ``event``, such as ``http11.send_request_headers.started``."""
        _, _, step = event.partition(".")
        if step == "connect_tcp.started":
            self._connected = True
            await self._resolve(info["host"], info["port"])
        elif step in {"connect_tcp.complete", "start_tls.complete"}:
            self._received.watch(info["return_value"])
        elif step == "send_request_headers.started":
            self._sent = True

    def met_a_closed_connection(self) -> bool:
        """Whether the request went to a kept connection that brought no byte of a response.

        The server closed it, and the request may be sent again: RFC 9110 §9.2.2 allows that for
        GET, and a server that has not begun to answer has most likely not seen it.
        """
        reused = self._sent and not self._connected
        return reused and self._received.bytes == self._before

    async def _resolve(self, host: str, port: int) -> None:
        """Resolve ``host``, which is about to be resolved, so that a failure can be told apart.

        The connection asks the resolver again; connections are few.
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
