"""Requests that are malformed, or have more to them than a GET."""

from __future__ import annotations

import asyncio
import logging
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from starlette.responses import PlainTextResponse

from tests.harness import Harness
from tests.web.sockets import GET, LARGE, answers, hello, is_closed, run, serving

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 100_000, 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: x\r\n" * 100_000, 431),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    ],
    ids=["line", "tls", "no-host", "length", "coding", "long-header", "many-headers", "chunk"],
)
def test_a_malformed_request_is_rejected_without_a_log_record(
    request_: bytes, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with serving(hello) as server:
            client = await server.client()
            await client.send(request_)
            refused, headers, body = await client.response()
            assert refused == status
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["connection"] == "close"
            assert b"\n" in body
            assert await is_closed(client)
            assert await answers(await server.client())

    caplog.set_level(logging.DEBUG)
    run(main())
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []


def test_a_chunk_that_breaks_after_the_answer_closes_the_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        async with serving(hello) as server:
            client = await server.client()
            await client.send(b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            assert (await client.response())[0] == 200
            await client.send(b"zz\r\n")
            assert await is_closed(client)

    run(main())
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []


def test_a_rejected_client_that_keeps_sending_is_closed_after_ten_seconds() -> None:
    async def main() -> None:
        async with serving(hello) as server:
            client = await server.client()
            await client.send(b"nonsense\r\n\r\n")
            assert (await client.response())[0] == 400
            for _ in range(3):
                await client.send(b"more")
                await server.skip(4)
            await client.cut_off()

    run(main())


def test_what_follows_the_last_request_is_ignored() -> None:
    async def patient(scope: Scope, receive: Receive, send: Send) -> None:
        await go_on.wait()
        await hello(scope, receive, send)

    go_on = asyncio.Event()

    async def main() -> None:
        async with serving(patient) as server:
            client = await server.client()
            await client.send(GET[:-2] + b"Connection: close\r\n\r\n")
            await server.skip(0)
            await client.send(b"\r\nnonsense\r\n\r\n")
            await server.skip(0)
            go_on.set()
            assert (await client.response())[0] == 200
            assert await is_closed(client)

    run(main())


@pytest.mark.parametrize("upgrade", [b"websocket", b"h2c"])
def test_an_upgrade_is_ignored(upgrade: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with serving(hello) as server:
            client = await server.client()
            await client.send(
                GET.replace(
                    b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n" % upgrade
                )
            )
            assert (await client.response())[0] == 200

    run(main())
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []


def test_pipelined_requests_are_answered_in_their_order() -> None:
    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse(scope["path"])(scope, receive, send)

    async def main() -> None:
        paths = [f"/{number}" for number in range(1000)]
        async with serving(echo) as server:
            client = await server.client()
            await client.send(b"".join(GET.replace(b"/", each.encode(), 1) for each in paths))
            assert [(await client.response())[2].decode() for _ in paths] == paths

    run(main())


@pytest.mark.parametrize("path", ["/", "/metrics", "/-/healthy", "/-/ready", "/nothing"])
def test_an_answer_to_head_has_the_length_of_the_body_and_no_body(path: str) -> None:
    async def main() -> None:
        harness = Harness(5)
        await harness.exporter.refresh_once()
        async with serving(harness.exporter.web()) as server:
            client = await server.client()
            status, headers, body = await client.get(path, "HEAD")
            again, others, whole = await client.get(path)
        assert (status, headers["content-type"]) == (again, others["content-type"])
        assert int(headers["content-length"]) == pytest.approx(len(whole), abs=100)
        assert body == b""
        await harness.exporter.aclose()

    run(main())


def test_request_bodies_are_discarded() -> None:
    held: list[int] = []

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await arrived.wait()
        held.append(tracemalloc.get_traced_memory()[1])
        await PlainTextResponse("Taken.\n")(scope, receive, send)

    arrived = asyncio.Event()

    async def main() -> None:
        async with serving(slow) as server:
            client = await server.client()
            head = b"POST / HTTP/1.1\r\nHost: exporter\r\nContent-Length: %d\r\n\r\n" % len(LARGE)
            tracemalloc.start()
            try:
                await client.send(head)
                await client.send(LARGE)
                arrived.set()
                assert (await client.response("POST"))[2] == b"Taken.\n"
            finally:
                tracemalloc.stop()
            assert await answers(client)

    run(main())
    assert held[0] < 2**20


@pytest.mark.parametrize("reads", [True, False])
def test_bodies_reach_an_application_that_reads_them_in_bounded_chunks(*, reads: bool) -> None:
    received: list[int] = []

    async def reader(scope: Scope, receive: Receive, send: Send) -> None:
        more = reads and scope["method"] == "POST"
        while more:
            message = await receive()
            received.append(len(message["body"]))
            more = message["more_body"]
        await PlainTextResponse("Taken.\n")(scope, receive, send)

    async def main() -> None:
        async with serving(reader, reads_bodies=True) as server:
            client = await server.client()
            head = b"POST / HTTP/1.1\r\nHost: exporter\r\nContent-Length: %d\r\n\r\n" % len(LARGE)
            await client.send(head)
            await client.send(LARGE)
            assert (await client.response("POST"))[2] == b"Taken.\n"
            assert await answers(client)

    run(main())
    assert sum(received) == (len(LARGE) if reads else 0)
    assert max(received, default=0) < 2**19
