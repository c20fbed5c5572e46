"""Serves the simulator on a socket, in the event loop of the test."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING

import httpx

from exporter.app import Exporter
from tests.harness import Harness, configuration

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Mapping


class SocketServer:
    """Answers as the ``simulator`` does and keeps its connections open.

    Subclasses end connections in other ways.
    """

    def __init__(self, simulator: httpx.AsyncBaseTransport) -> None:
        self._simulator = simulator
        self.answers = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self.serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await self.answer(await self.asked(reader), writer)

    async def asked(self, reader: asyncio.StreamReader) -> bytes:
        return await reader.readuntil(b"\r\n\r\n")

    async def answer(
        self, head: bytes, writer: asyncio.StreamWriter, more: Mapping[str, str] | None = None
    ) -> None:
        """Answer the request ``head``; ``more``: additional response headers."""
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines if line)
        request = httpx.Request("GET", f"http://simulator{first.split()[1]}", headers=headers)
        response = await self._simulator.handle_async_request(request)
        body = await response.aread()
        given = {"Content-Length": str(len(body)), **(more or {})}
        status = f"HTTP/1.1 {response.status_code} X"
        head = "\r\n".join(
            [status, *(f"{name}: {value}" for name, value in given.items())]
        ).encode()
        writer.write(head + b"\r\n\r\n" + body)
        self.answers += 1


class ConnectProxy:
    """A proxy that opens CONNECT tunnels."""

    def __init__(self) -> None:
        self.tunnels = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        host, _, port = head.split()[1].decode().rpartition(":")
        self.tunnels += 1
        there, out = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(_copy(reader, out), _copy(there, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
    except ConnectionError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def asking(
    harness: Harness,
    server: SocketServer,
    settings: str = "",
    *,
    tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
) -> AsyncIterator[None]:
    """Let the exporter of ``harness`` send its requests to ``server`` over the network."""
    async with await asyncio.start_server(server, "127.0.0.1", 0, ssl=tls) as listening:
        scheme, port = "https" if tls else "http", listening.sockets[0].getsockname()[1]
        harness.config = configuration(
            settings, url=f"{scheme}://{host}:{port}", environ=harness.environ
        )
        harness.exporter = Exporter(
            harness.config, clock=harness.clock, random=Random(0), process_metrics=False
        )
        yield
        await harness.exporter.aclose()
