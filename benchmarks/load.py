"""The load generator. It does little but scrape, so that it is not what is measured.

``python -m benchmarks.load URL --connections=4 --seconds=2 --encoding=gzip`` prints a :class:`Load`
as JSON. Each connection sends its next request as soon as it has an answer. With ``--rate``, all of
them together send that number of requests per second, and latencies count from when a request was
due. So a server that stalls cannot hide it by receiving fewer requests.

``--ca=FILE`` verifies the server of an https URL, and ``--user=NAME:PASSWORD`` logs in.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import math
import re
import socket
import ssl
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_BUFFER = 1024 * 1024
_STATUS = re.compile(rb"HTTP/1\.([01]) (\d{3}) ")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSES = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)


@dataclass(frozen=True)
class Load:
    """What the scrapers measured."""

    rate: float
    """Requests per second."""
    requests: int
    size: float
    """Bytes of one body, as sent."""
    p50: float
    """Seconds, as the following ones."""
    p99: float
    most: float


def percentile(values: Sequence[float], share: float) -> float:
    """Return the least of ``values`` that is not below ``share`` of them (nearest rank)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


class Link:
    """A connection to a server, over TLS if there is a context."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._loop = asyncio.get_running_loop()

    @classmethod
    async def connected(cls, url: str, context: ssl.SSLContext | None = None) -> Link:
        """Return a connection to the server of ``url``."""
        parts = urlsplit(url)
        link = socket.socket()
        try:
            link.setblocking(False)
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(link, (parts.hostname, parts.port))
            if context is not None:
                link = await _secured(loop, link, context, parts.hostname)
        except BaseException:
            link.close()
            raise
        return cls(link)

    async def send(self, request: bytes) -> None:
        """Send ``request``, which is small."""
        if isinstance(self._link, ssl.SSLSocket):
            self._link.send(request)  # fits into the buffer of an idle connection
        else:
            await self._loop.sock_sendall(self._link, request)

    async def receive(self, part: memoryview) -> int:
        """Read into ``part``; return the number of bytes, 0 at the end."""
        if not isinstance(self._link, ssl.SSLSocket):
            return await self._loop.sock_recv_into(self._link, part)
        while True:
            try:
                return self._link.recv_into(part)
            except ssl.SSLWantReadError:
                await _readable(self._loop, self._link)

    def close(self) -> None:
        """Close the connection."""
        self._link.close()


async def _secured(
    loop: asyncio.AbstractEventLoop,
    link: socket.socket,
    context: ssl.SSLContext,
    name: str | None,
) -> ssl.SSLSocket:
    """Return ``link`` over TLS. Raises :class:`ssl.SSLError` and closes it."""
    secure = context.wrap_socket(link, server_hostname=name, do_handshake_on_connect=False)
    try:
        while True:
            try:
                secure.do_handshake()
            except ssl.SSLWantReadError:
                await _readable(loop, secure)
            else:
                return secure
    except BaseException:
        secure.close()
        raise


async def _readable(loop: asyncio.AbstractEventLoop, link: socket.socket) -> None:
    """Return when ``link`` can be read."""
    readable = asyncio.Event()
    loop.add_reader(link, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(link)


async def exchange(
    link: Link, request: bytes, buffer: memoryview, *, allowed: Collection[int] = (200,)
) -> tuple[int, bool]:
    """Return the size of the body, and whether the server closes the connection.

    Raises ``ValueError`` for an incomplete answer, a status that is not ``allowed``, and a body of
    unknown length.
    """

    async def receive(part: memoryview) -> int:
        if got := await link.receive(part):
            return got
        raise ValueError("the server closed the connection within an answer")

    await link.send(request)
    got, end = 0, -1
    while end < 0:
        got += await receive(buffer[got:])
        head = bytes(buffer[: min(got, 4096)])
        end = head.find(b"\r\n\r\n")
    line, length = _STATUS.match(head), _LENGTH.search(head, 0, end + 2)
    if line is None or length is None or int(line[2]) not in allowed:
        raise ValueError(f"unusable answer: {head[:end].decode('latin-1')!r}")
    while got < end + 4 + int(length[1]):
        got += await receive(buffer)
    return int(length[1]), line[1] == b"0" or _CLOSES.search(head, 0, end + 2) is not None


def request_for(url: str, *, encoding: str = "gzip", user: str = "") -> bytes:
    """Return a scrape of ``url``; ``user`` is a name, a colon and a password, or empty."""
    parts = urlsplit(url)
    login = f"Authorization: Basic {base64.b64encode(user.encode()).decode()}\r\n" if user else ""
    return (
        f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: text/plain\r\n"
        f"Accept-Encoding: {encoding}\r\n{login}\r\n"
    ).encode()


async def scrape(
    url: str,
    *,
    connections: int,
    seconds: float,
    encoding: str,
    rate: float | None = None,
    user: str = "",
    ca: str | None = None,
) -> Load:
    """Send requests to ``url`` for ``seconds``, and wait for all answers."""
    request = request_for(url, encoding=encoding, user=user)
    context = ssl.create_default_context(cafile=ca) if url.startswith("https:") else None
    began = time.perf_counter()
    latencies: list[float] = []
    sizes: list[int] = []

    async def one(number: int) -> None:
        connection, buffer = None, memoryview(bytearray(_BUFFER))
        pause = connections / rate if rate else 0.0
        due = began + pause * number / connections
        try:
            while due < began + seconds:
                if rate:
                    await asyncio.sleep(due - time.perf_counter())
                connection = connection or await Link.connected(url, context)
                size, closes = await exchange(connection, request, buffer)
                if closes:
                    connection.close()
                    connection = None
                now = time.perf_counter()
                sizes.append(size)
                latencies.append(now - due)
                due = due + pause if rate else now
        finally:
            if connection:
                connection.close()

    async with asyncio.TaskGroup() as group:
        for number in range(connections):
            group.create_task(one(number))
    return Load(
        rate=len(latencies) / (time.perf_counter() - began),
        requests=len(latencies),
        size=sum(sizes) / len(sizes),
        p50=percentile(latencies, 0.5),
        p99=percentile(latencies, 0.99),
        most=max(latencies),
    )


def main() -> None:
    """Scrape and print the :class:`Load`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--encoding", required=True)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--user", default="")
    parser.add_argument("--ca")
    print(json.dumps(asdict(asyncio.run(scrape(**vars(parser.parse_args()))))))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):  # the parent process reports it
        main()
