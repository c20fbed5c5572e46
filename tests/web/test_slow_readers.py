"""Clients that take their answers slowly, or not at all."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from exporter.web import Limits
from tests.harness import Harness
from tests.web.sockets import GET, LARGE, TINY, large, run, serving
from tests.web.tls import over_http_and_https, usual

if TYPE_CHECKING:
    from tests.web.sockets import Client

pytestmark = pytest.mark.integration


@over_http_and_https
def test_a_client_that_reads_nothing_for_half_a_minute_is_disconnected(transport: str) -> None:
    async def main() -> None:
        async with serving(large, tls=usual(transport)) as server:
            stuck, steady = [await server.client(buffer=TINY) for _ in range(2)]
            for each in (stuck, steady):
                await each.send(GET)
            received = b""
            for _ in range(2):
                await server.skip(20)
                while len(received) < 2**20 and (more := await steady.receive()):
                    received += more
            assert len(await stuck.rest()) < len(LARGE)
            with_headers = received + await asyncio.wait_for(remaining(steady, received), 20)
            assert with_headers.endswith(LARGE)

    async def remaining(client: Client, received: bytes) -> bytes:
        head = received.index(b"\r\n\r\n") + 4
        rest = b""
        while len(received) + len(rest) < head + len(LARGE):
            rest += await client.receive()
        return rest

    run(main())


@over_http_and_https
def test_slow_readers_do_not_hold_the_body(transport: str) -> None:
    async def main() -> tuple[int, int]:
        harness = Harness(12_000, settings="per_key_metrics: true")
        await harness.exporter.refresh_once()
        size = len(harness.exposition())
        async with serving(harness.exporter.web(), tls=usual(transport)) as server:
            assert (await (await server.client()).get("/metrics"))[0] == 200
            tracemalloc.start()
            try:
                readers = [await server.client(buffer=TINY) for _ in range(10)]
                for each in readers:
                    await each.send(GET.replace(b"/", b"/metrics", 1))
                await server.skip(1)
                gc.collect()
                held, _ = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            _, _, body = await readers[0].response()
            assert len(body) == pytest.approx(size, abs=10_000)
        await harness.exporter.aclose()
        return size, held // len(readers)

    size, held = run(main())
    assert size > 1.5 * 2**22  # more than the kernel buffers, which is up to 4 MiB a connection
    assert held < 2**18


@over_http_and_https
def test_the_server_stops_in_time_although_a_client_reads_slowly(
    caplog: pytest.LogCaptureFixture, transport: str
) -> None:
    async def main() -> None:
        async with serving(large, Limits(shutdown=0.1), tls=usual(transport)) as server:
            idle, client = await server.client(), await server.connect(connection)
            assert (await idle.get("/hello"))[0] == 200
            await client.send(GET)
            assert await client.receive()
        assert len(await client.rest()) < len(LARGE)

    with socket.socket() as connection:
        connection.setblocking(False)
        run(asyncio.wait_for(main(), 10))
    assert [record for record in caplog.records if record.levelno >= logging.INFO] == []
