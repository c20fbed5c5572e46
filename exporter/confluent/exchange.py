"""What happens on the wire while one request is answered, as httpcore's trace reports it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping


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

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        """Take in ``event``, such as ``http11.send_request_headers.started``."""
        _, _, step = event.partition(".")
        if step == "connect_tcp.started":
            self._connected = True
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
