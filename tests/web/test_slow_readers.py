"""Clients that take their answers slowly, or not at all."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from exporter.web import Limits
from tests.web.sockets import GET, LARGE, TINY, large, run, serving

if TYPE_CHECKING:
    import pytest

    from tests.web.sockets import Client


def test_a_client_that_takes_nothing_for_half_a_minute_is_cut_off() -> None:
    async def main() -> None:
        async with serving(large) as server:
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


def test_the_server_stops_in_time_although_a_client_reads_slowly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        async with serving(large, Limits(shutdown=0.1)) as server:
            client, idle = await server.client(buffer=TINY), await server.client()
            assert (await idle.get("/hello"))[0] == 200
            await client.send(GET)
            assert await client.receive()

    run(asyncio.wait_for(main(), 10))
    assert [record for record in caplog.records if record.levelno >= logging.INFO] == []
