"""Bytes through TLS: large, many, slow, and malformed ones."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING

import pytest

from exporter.web import Limits
from tests.web.sockets import (
    GET,
    LARGE,
    TINY,
    Client,
    answers,
    hello,
    is_closed,
    large,
    run,
    serving,
)
from tests.web.tls import ServedTls, authority, settings, usual

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

pytestmark = pytest.mark.integration


def test_a_large_response_arrives_complete() -> None:
    async def main() -> None:
        async with serving(large, tls=usual("https")) as server:
            client = await server.client()
            for _ in range(2):
                assert (await client.get())[2] == LARGE

    run(main())


@pytest.mark.parametrize("size", [1, 4095, 4096, 16384, 16385, 163840])
def test_a_response_in_one_piece_arrives_complete(size: int) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        headers = [(b"content-length", b"%d" % size)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": LARGE[:size]})

    async def main() -> None:
        async with serving(app, tls=usual("https")) as server:
            client = await server.client()
            for _ in range(2):
                assert (await client.get())[2] == LARGE[:size]

    run(main())


def test_headers_are_sent_before_a_body_that_comes_late() -> None:
    async def main() -> None:
        complete = asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            del scope, receive
            headers = [(b"content-length", b"4")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await complete.wait()
            await send({"type": "http.response.body", "body": b"late"})

        async with serving(app, tls=usual("https")) as server:
            client = await server.client()
            await client.send(GET)
            assert (await client.receive()).endswith(b"\r\n\r\n")
            complete.set()
            assert await client.receive() == b"late"

    run(main())


def test_pipelined_requests_are_answered_in_order() -> None:
    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        path = scope["path"].encode()
        headers = [(b"content-length", b"%d" % len(path))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": path})

    async def main() -> None:
        async with serving(echo, tls=usual("https")) as server:
            client = await server.client()
            paths = [f"/{number:0100}" for number in range(2000)]
            requests = "".join(f"GET {each} HTTP/1.1\r\nHost: a\r\n\r\n" for each in paths)
            sending = asyncio.create_task(client.send(requests.encode()))  # 280 KB
            assert [(await client.response())[2].decode() for _ in paths] == paths
            await sending

    run(main())


def test_a_request_in_the_last_message_of_the_handshake_is_answered() -> None:
    async def main() -> None:
        async with serving(hello, tls=usual("https")) as server:
            client = await server.tcp_client()
            await client.start_tls(authority().client_context(), first=GET)
            assert (await client.response())[0] == 200

    run(main())


def test_a_client_with_a_small_buffer_receives_a_large_response() -> None:
    async def main() -> None:
        async with serving(large, tls=usual("https")) as server:
            client = await server.client(buffer=TINY)
            assert (await client.get())[2] == LARGE

    run(main())


def test_connections_receive_only_their_own_bytes() -> None:
    async def main() -> None:
        async with serving(large, tls=usual("https")) as server:

            async def download(*, buffer: int | None = None) -> None:
                client = await server.client(buffer=buffer)
                for _ in range(2):
                    assert (await client.get())[2] == LARGE

            async def fail(first: bytes) -> None:
                client = await server.client()
                await client.send_raw(first)
                with pytest.raises(ssl.SSLError, match="ALERT"):
                    await client.receive()

            malformed = [b"\x17\x03\x03\x00\x20" + bytes(32), GET]
            downloads = [download(), download(), download(buffer=TINY)]
            await asyncio.gather(*downloads, *map(fail, malformed * 5))

    run(main())


def closes_with_notice(client: Client) -> bool:
    """Whether the server has told ``client`` within TLS that it closes the connection."""
    assert client.tls is not None
    try:
        return client.tls.object.read(1) == b""
    except ssl.SSLEOFError:
        return False


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize("why", ["idle", "full", "shutdown", "bad request", "asked to"])
def test_the_server_says_within_tls_that_it_closes_a_connection(version: str, why: str) -> None:
    context = authority().client_context()
    context.maximum_version = ssl.TLSVersion[version]

    async def main(connection: socket.socket) -> None:
        async with serving(hello, Limits(connections=1), tls=usual("https")) as server:
            client = await server.connect(connection)
            await client.start_tls(context)
            assert await answers(client)
            match why:
                case "idle":
                    await server.skip(130)
                case "full":
                    assert await answers(await server.client())
                case "bad request":
                    await client.send(b"\0\r\n\r\n")
                    assert (await client.response())[0] == 400
                case "asked to":
                    await client.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
                    assert (await client.response())[0] == 200
            if why != "shutdown":
                assert await is_closed(client)
        assert await is_closed(client)
        assert closes_with_notice(client)

    with socket.socket() as connection:
        connection.setblocking(False)
        run(main(connection))


def test_a_client_that_ends_tls_is_disconnected() -> None:
    async def main() -> None:
        async with serving(hello, tls=usual("https")) as server:
            client = await server.client()
            assert await answers(client)
            assert client.tls is not None
            with pytest.raises(ssl.SSLWantReadError):
                client.tls.object.unwrap()
            await client.send_raw(client.tls.outgoing.read())
            client.tls.incoming.write(await client.receive_raw())
            client.tls.object.unwrap()  # the server has ended it, too
            assert await client.receive_raw() == b""

    run(main())


@pytest.mark.parametrize(
    "record",
    [b"\x17\x03\x03\x00\x20" + bytes(32), b"\x17\x03\x03\xff\xff" + bytes(70_000), GET],
    ids=["not authentic", "too long", "not encrypted"],
)
def test_a_malformed_record_ends_its_connection_alone(
    record: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        tls = ServedTls(settings())
        async with serving(hello, tls=tls) as server:
            client, other = await server.client(), await server.client()
            assert await answers(client)
            await client.send_raw(record)
            with pytest.raises(ssl.SSLError, match="ALERT"):
                await client.receive()
            assert await answers(other)
            assert tls.failures == 0

    run(main())
    assert caplog.records == []


def test_headers_that_are_too_large_are_refused_within_tls() -> None:
    async def main() -> None:
        async with serving(hello, tls=usual("https")) as server:
            client = await server.client()
            await client.send(b"GET / HTTP/1.1\r\nHost: exporter\r\nX: " + b"a" * 2**20)
            assert (await client.response())[0] == 431

    run(main())
