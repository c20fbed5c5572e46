"""The load: scrapers that do little but scrape, so that they are not what is measured.

``python -m benchmarks.scrapers URL --connections=4 --seconds=2 --gzip`` prints a :class:`Load` as
JSON. Each connection asks again as soon as it is answered; with ``--rate`` all of them together ask
so many times a second, and an answer's latency counts from when its request was due, so that a
server that is stuck cannot hide it by being asked less. Where the server closes a connection, the
next one is part of the latency.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import re
import socket
import subprocess
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from benchmarks.measure import PYTHON, environment

if TYPE_CHECKING:
    from collections.abc import Sequence

_BUFFER = 1024 * 1024
_STATUS = re.compile(rb"HTTP/1\.([01]) (\d{3})")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSES = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)


@dataclass(frozen=True)
class Load:
    """What the scrapers saw. Times in seconds."""

    requests: int
    seconds: float
    """From the first request to the last answer."""
    bytes: int
    """Of all bodies, as they came."""
    p50: float
    p99: float
    most: float

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds

    @property
    def size(self) -> float:
        """Bytes of one body."""
        return self.bytes / self.requests


@dataclass(frozen=True)
class Head:
    """What the head of a response says about its body."""

    size: int
    """Bytes of the head itself, with the blank line."""
    length: int
    """Bytes of the body."""
    closes: bool
    """Whether the connection ends with it."""


def read_head(data: bytes) -> Head | None:
    """Return the head at the beginning of ``data``, None if it is not there in whole.

    Raises ``ValueError`` for a status other than 200 and for a body of unknown length.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = data[: end + 2]
    status, length = _STATUS.match(head), _LENGTH.search(head)
    if status is None or status[2] != b"200" or length is None:
        raise ValueError(f"an answer of no use: {head.decode('latin-1')!r}")
    closes = status[1] == b"0" or _CLOSES.search(head) is not None
    return Head(end + 4, int(length[1]), closes)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the least of ``values`` that is not below ``share`` of them (nearest rank)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


class _Connection:
    """One connection after the other to one server."""

    def __init__(self, address: tuple[str, int], request: bytes) -> None:
        self._address = address
        self._request = request
        self._socket: socket.socket | None = None
        self._buffer = memoryview(bytearray(_BUFFER))

    async def scrape(self) -> int:
        """Ask once and return how many bytes the body had."""
        loop = asyncio.get_running_loop()
        if self._socket is None:
            self._socket = socket.socket()
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(self._socket, self._address)
        await loop.sock_sendall(self._socket, self._request)
        got, head = 0, None
        while head is None:
            got += await self._receive(self._buffer[got:])
            head = read_head(bytes(self._buffer[: min(got, 4096)]))
        while got < head.size + head.length:
            got += await self._receive(self._buffer)
        if head.closes:
            self.close()
        return head.length

    async def _receive(self, buffer: memoryview) -> int:
        assert self._socket is not None  # noqa: S101 # only called while it is open
        got = await asyncio.get_running_loop().sock_recv_into(self._socket, buffer)
        if not got:
            raise ValueError("the server closed the connection within an answer")
        return got

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None


async def scrape(
    url: str, *, connections: int, seconds: float, gzip: bool = False, rate: float | None = None
) -> Load:
    """Scrape ``url`` for ``seconds``; what was asked by then is waited for."""
    parts = urlsplit(url)
    address = (parts.hostname or "127.0.0.1", parts.port or 80)
    encoding = "gzip" if gzip else "identity"
    request = (
        f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: text/plain\r\n"
        f"Accept-Encoding: {encoding}\r\n\r\n"
    ).encode()
    began = time.perf_counter()
    latencies: list[float] = []
    sizes: list[int] = []

    async def one(number: int) -> None:
        connection = _Connection(address, request)
        due, pause = began, 0.0 if rate is None else connections / rate
        due += pause * number / connections
        try:
            while due < began + seconds:
                if rate is not None:
                    await asyncio.sleep(due - time.perf_counter())
                sizes.append(await connection.scrape())
                now = time.perf_counter()
                latencies.append(now - due)
                due = now if rate is None else due + pause
        finally:
            connection.close()

    async with asyncio.TaskGroup() as group:
        for number in range(connections):
            group.create_task(one(number))
    return Load(
        requests=len(latencies),
        seconds=time.perf_counter() - began,
        bytes=sum(sizes),
        p50=percentile(latencies, 0.5),
        p99=percentile(latencies, 0.99),
        most=max(latencies),
    )


def scrape_from_outside(
    url: str, *, connections: int, seconds: float, gzip: bool, rate: float | None = None
) -> Load:
    """Scrape as :func:`scrape` does, in a process of its own."""
    command = [PYTHON, "-m", "benchmarks.scrapers", url]
    command += [f"--connections={connections}", f"--seconds={seconds}"]
    command += ["--gzip"] * gzip
    command += [] if rate is None else [f"--rate={rate}"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment())
    return Load(**json.loads(done.stdout))


def main() -> None:
    """Scrape and print what was seen."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--gzip", action="store_true")
    parser.add_argument("--rate", type=float)
    options = parser.parse_args()
    load = asyncio.run(
        scrape(
            options.url,
            connections=options.connections,
            seconds=options.seconds,
            gzip=options.gzip,
            rate=options.rate,
        )
    )
    print(json.dumps(asdict(load)))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):  # whoever started it has it, too
        main()
