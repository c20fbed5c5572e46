"""How long connections are kept, and how many."""

from __future__ import annotations

import asyncio
import resource
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

from exporter.web import Limits
from exporter.web.limits import process_limits
from tests.programs import EXPORTER, printed, started
from tests.web.sockets import (
    GET,
    LARGE,
    TINY,
    Serving,
    answers,
    hello,
    is_closed,
    large,
    run,
    serving,
)
from tests.web.tls import ServedTls, over_http_and_https, settings, usual

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration


def test_the_limits_are_those_of_the_documentation() -> None:
    assert Limits() == Limits(connections=512, header=10.0, idle=120.0, write=30.0, shutdown=1.0)


@over_http_and_https
def test_a_header_must_be_complete_within_ten_seconds(transport: str) -> None:
    async def main() -> None:
        async with serving(hello, tls=usual(transport)) as server:
            silent, dripping, late = [await server.client() for _ in range(3)]
            for number in range(3):
                await dripping.send(GET[number : number + 1])
                await server.skip(3)
            await late.send(GET)
            assert (await late.response())[0] == 200
            await dripping.send(GET[3:4])
            await server.skip(3)
            assert await is_closed(silent)
            assert await is_closed(dripping)
            assert await answers(late)

    run(main())


def test_a_handshake_and_the_header_after_it_have_ten_seconds_each() -> None:
    async def main() -> None:
        tls = ServedTls(settings())
        async with serving(hello, tls=tls) as server:
            clients = [await server.tcp_client() for _ in range(2)]
            await server.skip(8)
            for each in clients:
                await each.start_tls(tls.client)
            await server.skip(8)
            assert await answers(clients[0])
            await server.skip(3)
            assert await is_closed(clients[1])
            assert await answers(clients[0])

    run(main())


@over_http_and_https
def test_the_deadline_holds_for_every_request_of_a_connection(transport: str) -> None:
    async def main() -> None:
        async with serving(hello, tls=usual(transport)) as server:
            client = await server.client()
            assert await answers(client)
            await server.skip(60)
            pipelining = await server.client()
            await client.send(GET[:10])
            await pipelining.send(GET + GET[:10])
            assert (await pipelining.response())[0] == 200
            await server.skip(9)
            await client.send(GET[10:])
            assert (await client.response())[0] == 200
            await client.send(GET[:10])
            await server.skip(11)
            assert await is_closed(client)
            assert await is_closed(pipelining)

    run(main())


@over_http_and_https
def test_an_idle_connection_is_kept_for_two_minutes(transport: str) -> None:
    async def main() -> None:
        async with serving(hello, tls=usual(transport)) as server:
            client = await server.client()
            for idle in (0, 6, 119):
                await server.skip(idle)
                assert await answers(client)
            await server.skip(122)
            assert await is_closed(client)

    run(main())


@over_http_and_https
def test_the_rest_of_a_request_body_must_come_within_ten_seconds(transport: str) -> None:
    async def main() -> None:
        async with serving(hello, tls=usual(transport)) as server:
            client = await server.client()
            await client.send(b"POST / HTTP/1.1\r\nHost: exporter\r\nContent-Length: 999\r\n\r\n")
            assert (await client.response("POST"))[0] == 200
            for _ in range(3):
                await client.send(b"a")
                await server.skip(4)
            assert await is_closed(client)

    run(main())


@pytest.mark.parametrize("limit", [3, 512])
@over_http_and_https
def test_above_the_limit_the_oldest_idle_connection_is_closed_first(
    limit: int, transport: str
) -> None:
    async def main() -> None:
        async with serving(hello, Limits(connections=limit), tls=usual(transport)) as server:
            clients = [await server.client() for _ in range(limit)]
            for each in clients:
                assert await answers(each)
            assert await answers(clients[0])
            for oldest in clients[1:3]:
                one_more = await server.client()
                assert await answers(one_more)
                assert await is_closed(oldest)
            for each in (clients[0], *clients[3:], one_more):
                assert await answers(each)

    run(main())


@over_http_and_https
def test_a_connection_without_a_request_is_closed_for_another(transport: str) -> None:
    async def main() -> None:
        async with serving(hello, Limits(connections=2), tls=usual(transport)) as server:
            half_open, other = await server.client(), await server.client()
            await half_open.send(GET[:10])
            assert await answers(other)
            assert await answers(await server.client())
            assert await is_closed(half_open)
            assert await answers(other)

    run(main())


@over_http_and_https
def test_an_idle_connection_is_closed_before_one_whose_answer_is_being_written(
    transport: str,
) -> None:
    async def main() -> None:
        async with serving(large, Limits(connections=2), tls=usual(transport)) as server:
            slow, idle = await server.client(buffer=TINY), await server.client()
            await slow.send(GET)
            assert (await idle.get("/hello"))[0] == 200
            assert (await (await server.client()).get("/hello"))[0] == 200
            assert await is_closed(idle)
            assert (await slow.response())[2] == LARGE

    run(main())


@over_http_and_https
def test_clients_that_read_nothing_do_not_block_others(transport: str) -> None:
    async def main() -> None:
        async with serving(large, Limits(connections=2), tls=usual(transport)) as server:
            stuck = [await server.client(buffer=TINY) for _ in range(2)]
            for each in stuck:
                await each.send(GET)
                await server.skip(1)
            assert (await (await server.client()).get("/hello"))[0] == 200
            assert len(await stuck[0].rest()) < len(LARGE)
            assert (await stuck[1].response())[2] == LARGE

    run(main())


def test_the_limit_leaves_half_of_the_file_descriptors(tmp_path: Path) -> None:
    log = tmp_path / "log"
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100));"
        "from exporter.web.limits import process_limits; print(process_limits().connections, '.')"
    )
    with started(EXPORTER[0], "-c", program, log=log):
        assert printed(log, r"(\d+) \.") == "50"
    assert 1 <= process_limits().connections <= 512


def test_without_a_limit_of_file_descriptors_there_are_512_connections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    infinity = resource.RLIM_INFINITY
    monkeypatch.setattr(resource, "getrlimit", lambda _: (infinity, infinity))
    assert process_limits() == Limits(connections=512)


def test_scrapes_succeed_while_others_hold_more_connections_than_there_are_descriptors(
    tmp_path: Path,
) -> None:
    log = tmp_path / "log"
    limited = ("/bin/sh", "-c", 'ulimit -n 256 && exec "$@"', "sh")
    demo = (*EXPORTER, "demo", "--keys=10", "--web.listen-address=127.0.0.1:0")
    with started(*limited, *demo, log=log):
        url = printed(log, r"metrics +(http://\S+)")
        host, port = url.removeprefix("http://").removesuffix("/metrics").split(":")
        printed(log, r"(msg=refreshed)")

        async def main() -> None:
            server = Serving((host, int(port)), asyncio.get_running_loop())  # type: ignore[arg-type]
            try:
                for _ in range(10):
                    for _ in range(30):
                        await (await server.client()).send(GET[:10])
                    response = await asyncio.to_thread(urlopen, url, timeout=5)
                    with response:
                        assert b"confluent_cloud_up" in response.read()
            finally:
                server.close()

        asyncio.run(main())
    said = log.read_text()
    assert "Traceback" not in said
    assert len(said) < 10_000
