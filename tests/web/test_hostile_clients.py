"""A scrape every second succeeds whatever other clients do, with and without TLS."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import ssl
import sys
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from exporter.web.handshake import Handshake, HandshakeError
from tests.programs import printed, started
from tests.web.sockets import (
    GET,
    TINY,
    Serving,
    SkippingLoop,
    answers,
    hello,
    is_closed,
    run,
    serving,
)
from tests.web.tls import client_hello, over_http_and_https, server_paths, usual

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

pytestmark = pytest.mark.integration

SLICE = 64 * 1024
SLICES = 640  # 40 MiB
BODY = os.urandom(SLICE)


async def forty_megabytes(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer /metrics with 40 MiB in slices that are one object, other paths shortly."""
    if scope["path"] != "/metrics":
        await hello(scope, receive, send)
        return
    headers = [(b"content-length", b"%d" % (SLICE * SLICES))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for number in range(SLICES):
        more = number + 1 < SLICES
        await send({"type": "http.response.body", "body": BODY, "more_body": more})


async def scrape_each_second(server: Serving, seconds: int) -> None:
    """Scrape on a kept connection and on a new one, each second."""
    kept = await server.client()
    for _ in range(seconds):
        for client in (kept, await server.client()):
            async with asyncio.timeout(5):
                assert (await client.get())[0] == 200
        await server.skip(1)


@over_http_and_https
def test_500_silent_connections(transport: str) -> None:
    async def main() -> None:
        async with serving(hello, tls=usual(transport)) as server:
            silent = [await server.tcp_client() for _ in range(500)]
            await scrape_each_second(server, 3)
            await server.skip(10)
            for each in silent:
                assert await is_closed(each)
            await scrape_each_second(server, 1)

    run(main())


@over_http_and_https
def test_500_connections_with_a_part_of_a_request(transport: str) -> None:
    async def main() -> None:
        async with serving(hello, tls=usual(transport)) as server:
            half_open = [await server.client() for _ in range(500)]
            for each in half_open:
                await each.send(GET[:-2])
            await scrape_each_second(server, 3)
            await server.skip(10)
            for each in half_open:
                assert await is_closed(each)
            await scrape_each_second(server, 1)

    run(main())


def test_500_handshakes_that_stop_after_the_first_message() -> None:
    async def main() -> None:
        async with serving(hello, tls=usual("https")) as server:
            first = client_hello()
            half_open = [await server.tcp_client() for _ in range(500)]
            for each in half_open:
                await each.send(first)
            await scrape_each_second(server, 3)
            await server.skip(10)
            for each in half_open:
                await each.rest()
            await scrape_each_second(server, 1)

    run(main())


@over_http_and_https
def test_header_drips(transport: str) -> None:
    async def main() -> None:
        async with serving(hello, tls=usual(transport)) as server:
            dripping = [await server.client() for _ in range(50)]
            for number in range(12):
                for each in dripping:
                    await each.send_while_open(GET[number : number + 1])
                await scrape_each_second(server, 1)
            for each in dripping:
                assert await is_closed(each)

    run(main())


def test_handshake_drips() -> None:
    async def main() -> None:
        tls = usual("https")
        async with serving(hello, tls=tls) as server:
            first = client_hello()
            dripping = [await server.tcp_client() for _ in range(50)]
            for number in range(12):
                for each in dripping:
                    await each.send_while_open(first[number : number + 1])
                await scrape_each_second(server, 1)
            for each in dripping:
                assert await is_closed(each)
            assert tls is not None
            assert tls.failures == 50

    run(main())


@over_http_and_https
def test_a_slow_reader_of_40_megabytes_holds_one_slice(transport: str) -> None:
    async def main() -> int:
        async with serving(forty_megabytes, tls=usual(transport)) as server:
            await scrape_each_second(server, 1)
            readers = [await server.client(buffer=TINY) for _ in range(20)]
            await server.skip(0)
            gc.collect()
            tracemalloc.start()
            try:
                for each in readers:
                    await each.send(GET.replace(b"/", b"/metrics", 1))
                await scrape_each_second(server, 3)
                gc.collect()
                return tracemalloc.get_traced_memory()[0] // len(readers)
            finally:
                tracemalloc.stop()

    assert run(main()) < SLICE + 16 * 1024  # what a request in progress costs


@over_http_and_https
def test_slow_readers_of_40_megabytes_are_disconnected(transport: str) -> None:
    async def main() -> None:
        async with serving(forty_megabytes, tls=usual(transport)) as server:
            readers = [await server.client(buffer=TINY) for _ in range(5)]
            for each in readers:
                await each.send(GET.replace(b"/", b"/metrics", 1))
            await scrape_each_second(server, 2)
            await server.skip(31)
            await scrape_each_second(server, 2)
            for each in readers:
                assert len(await each.rest()) < SLICE * SLICES

    run(main())


@over_http_and_https
def test_clients_that_pipeline_requests_and_read_no_answers(transport: str) -> None:
    async def main() -> None:
        async with serving(forty_megabytes, tls=usual(transport)) as server:
            sending = [
                asyncio.create_task((await server.client(buffer=TINY)).send(GET * 20_000))
                for _ in range(10)
            ]
            await scrape_each_second(server, 3)
            for each in sending:
                each.cancel()
            await asyncio.wait(sending)

    run(main())


@over_http_and_https
def test_clients_with_headers_that_are_too_large(transport: str) -> None:
    async def main() -> None:
        async with serving(hello, tls=usual(transport)) as server:
            for _ in range(3):
                clients = [await server.client() for _ in range(10)]
                for each in clients:
                    await each.send_while_open(b"GET / HTTP/1.1\r\nX: " + b"a" * 100_000)
                await scrape_each_second(server, 1)
                for each in clients:
                    assert (await each.response())[0] == 431

    run(main())


@pytest.mark.parametrize(
    "record",
    [b"\x16\x03\x01\xff\xff" + bytes(70_000), b"\x16" + os.urandom(70_000), bytes(70_000)],
    ids=["too long", "random", "not TLS"],
)
def test_clients_with_garbage_instead_of_a_handshake(record: bytes) -> None:
    async def main() -> None:
        tls = usual("https")
        async with serving(hello, tls=tls) as server:
            for _ in range(3):
                clients = [await server.tcp_client() for _ in range(10)]
                for each in clients:
                    await each.send_while_open(record)
                await scrape_each_second(server, 1)
                await server.skip(11)
                for each in clients:
                    assert len(await each.rest()) < 500
            assert tls is not None
            assert tls.failures == 30

    run(main())


def test_others_are_served_between_many_tiny_records() -> None:
    request = b"GET / HTTP/1.1\r\nHost: exporter\r\nX: " + b"a" * 2800 + b"\r\n\r\n"

    async def main() -> int:
        async with serving(hello, tls=usual("https")) as server:
            client = await server.client()
            assert client.tls is not None
            for each in request:
                client.tls.object.write(bytes([each]))
            answer = asyncio.create_task(client.response())
            await client.send_raw(client.tls.outgoing.read())  # 64 KiB
            others = 0
            while not answer.done():
                await asyncio.sleep(0)
                others += 1
            assert (await answer)[0] == 200
            return others

    assert run(main()) > 25


def test_a_client_that_never_stops_sending_after_a_refusal_blocks_nobody() -> None:
    async def main() -> int:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            for each in (ours, theirs):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**20)
            theirs.setblocking(False)
            sent = theirs.send(bytes(160 * 1024))
            theirs.shutdown(socket.SHUT_WR)
            rejection = asyncio.create_task(
                Handshake(ours, ssl.MemoryBIO()).reject(HandshakeError("refused"))
            )
            others = 0
            while not rejection.done():
                await asyncio.sleep(0)
                others += 1
        assert sent > 64 * 1024
        return others * 16 * 1024 // sent

    assert run(main()) >= 1  # others run between any two reads of 16 KiB


def test_more_handshakes_than_there_are_file_descriptors(tmp_path: Path) -> None:
    log = tmp_path / "log"
    limited = ("/bin/sh", "-c", 'ulimit -n 256 && exec "$@"', "sh")
    files = [str(each) for each in server_paths("server")]
    with started(*limited, sys.executable, "-m", "tests.web.https_server", *files, log=log):
        port = int(printed(log, r"serving http://127\.0\.0\.1:(\d+)"))

        async def main() -> None:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, SkippingLoop)
            server = Serving(("127.0.0.1", port), loop, usual("https"))
            try:
                for _ in range(10):
                    for _ in range(30):
                        await (await server.tcp_client()).send(client_hello())
                    assert await answers(await server.client())
            finally:
                server.close()

        run(main())
    assert "Traceback" not in log.read_text()
    assert len(log.read_text()) < 1000
