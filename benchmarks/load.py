"""The load generator. It does little but scrape, so that it is not what is measured.

``python -m benchmarks.load URL --connections=4 --seconds=2 --encoding=gzip`` prints a :class:`Load`
as JSON. Each connection sends its next request as soon as it has an answer. With ``--rate``, all of
them together send that number of requests per second, and latencies count from when a request was
due. So a server that stalls cannot hide it by receiving fewer requests.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import re
import socket
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Sequence

_BUFFER = 1024 * 1024
_STATUS = re.compile(rb"HTTP/1\.([01]) 200")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSES = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)


@dataclass(frozen=True)
class Load:
    """What the scrapers measured."""

    rate: float
    """Requests per second."""
    size: float
    """Bytes of one body, as sent."""
    p99: float
    """Seconds, as ``most``."""
    most: float


def percentile(values: Sequence[float], share: float) -> float:
    """Return the least of ``values`` that is not below ``share`` of them (nearest rank)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


async def _connected(host: str | None, port: int | None) -> socket.socket:
    link = socket.socket()
    link.setblocking(False)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    await asyncio.get_running_loop().sock_connect(link, (host, port))
    return link


async def _answer(link: socket.socket, request: bytes, buffer: memoryview) -> tuple[int, bool]:
    """Return the size of the body, and whether the server closes the connection.

    Raises ``ValueError`` for an incomplete answer, a status other than 200, and a body of unknown
    length.
    """

    async def receive(part: memoryview) -> int:
        if got := await loop.sock_recv_into(link, part):
            return got
        raise ValueError("the server closed the connection within an answer")

    loop = asyncio.get_running_loop()
    await loop.sock_sendall(link, request)
    got, end = 0, -1
    while end < 0:
        got += await receive(buffer[got:])
        head = bytes(buffer[: min(got, 4096)])
        end = head.find(b"\r\n\r\n")
    status, length = _STATUS.match(head), _LENGTH.search(head, 0, end + 2)
    if status is None or length is None:
        raise ValueError(f"unusable answer: {head[:end].decode('latin-1')!r}")
    while got < end + 4 + int(length[1]):
        got += await receive(buffer)
    return int(length[1]), status[1] == b"0" or _CLOSES.search(head, 0, end + 2) is not None


async def scrape(
    url: str, *, connections: int, seconds: float, encoding: str, rate: float | None = None
) -> Load:
    """Send requests to ``url`` for ``seconds``, and wait for all answers."""
    parts = urlsplit(url)
    request = (
        f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: text/plain\r\n"
        f"Accept-Encoding: {encoding}\r\n\r\n"
    ).encode()
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
                connection = connection or await _connected(parts.hostname, parts.port)
                size, closes = await _answer(connection, request, buffer)
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
        size=sum(sizes) / len(sizes),
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
    print(json.dumps(asdict(asyncio.run(scrape(**vars(parser.parse_args()))))))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):  # the parent process reports it
        main()
