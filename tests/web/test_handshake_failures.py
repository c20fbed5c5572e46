"""Handshakes that fail are counted, and logged at most once a minute."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from exporter.web.handshake_failures import HandshakeFailures
from tests.web.sockets import answers, hello, is_closed, run, serving
from tests.web.tls import ServedTls, client_hello, settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.web.sockets import Serving

pytestmark = pytest.mark.integration


async def speaks_http(server: Serving) -> None:
    assert (await (await server.tcp_client()).get())[0] == 400


async def sends_garbage(server: Serving) -> None:
    client = await server.tcp_client()
    await client.send(b"\x16\x03\x01\xff\xff" + bytes(200))
    await client.rest()


async def distrusts(server: Serving) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        await server.client(context=ssl.create_default_context())
    await server.skip(0)


async def leaves(server: Serving) -> None:
    client = await server.tcp_client()
    await client.send(client_hello())
    await client.receive()
    client.close()
    await server.skip(0)


async def resets(server: Serving) -> None:
    client = await server.tcp_client()
    await client.send(client_hello()[:10])
    await server.skip(0)
    client.reset()
    await server.skip(0)


async def is_slow(server: Serving) -> None:
    client = await server.tcp_client()
    await client.send(client_hello()[:10])
    await server.skip(12)
    assert await is_closed(client)


@pytest.mark.parametrize(
    ("fails", "cause"),
    [
        (speaks_http, "the client did not use TLS"),
        (sends_garbage, "the client sent a malformed TLS message"),
        (distrusts, "the client does not trust the certificate of this server"),
        (leaves, "the client closed the connection"),
        (resets, "the client closed the connection"),
        (is_slow, "the client did not complete the handshake in time"),
    ],
)
def test_a_failure_is_counted_and_its_cause_is_logged(
    fails: Callable[[Serving], Awaitable[None]], cause: str
) -> None:
    async def main() -> list[Any]:
        tls = ServedTls(settings())
        async with serving(hello, tls=tls) as server:
            with capture_logs() as logs:
                await fails(server)
            assert tls.failures == 1
            assert await answers(await server.client())
        return logs

    (record,) = run(main())
    address = record.pop("client")
    assert address.startswith("127.0.0.1:")
    assert record == {"event": "TLS handshake failed", "log_level": "warning", "cause": cause}


def test_a_minute_of_failures_is_one_log_record() -> None:
    async def main() -> list[Any]:
        tls = ServedTls(settings())
        with capture_logs() as logs:
            async with serving(hello, tls=tls) as server:
                for _ in range(50):
                    await speaks_http(server)
                assert (len(logs), tls.failures) == (1, 50)
                await server.skip(59)
                await distrusts(server)
                assert len(logs) == 1
                await server.skip(2)
                await distrusts(server)
                await server.skip(61)
                await distrusts(server)
        assert tls.failures == 53
        return logs

    logs = run(main())
    assert [record.get("not_logged") for record in logs] == [None, 50, None]


def test_a_client_that_sends_nothing_is_not_a_failure() -> None:
    """TCP health checks do that."""

    async def main() -> None:
        tls = ServedTls(settings())
        with capture_logs() as logs:
            async with serving(hello, tls=tls) as server:
                closes, resets, waits = [await server.tcp_client() for _ in range(3)]
                closes.close()
                resets.reset()
                await server.skip(12)
                assert await is_closed(waits)
        assert (tls.failures, logs) == (0, [])

    run(main())


def test_the_event_loop_logs_no_failed_handshake(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with serving(hello, tls=ServedTls(settings())) as server:
            for fails in (sends_garbage, distrusts, leaves, resets, is_slow):
                await fails(server)

    run(main())
    assert [record for record in caplog.records if record.name == "asyncio"] == []


@pytest.mark.parametrize(
    ("address", "logged"),
    [
        (("192.0.2.1", 5), "192.0.2.1:5"),
        (("2001:db8::1", 5, 0, 0), "[2001:db8::1]:5"),
        (("::ffff:192.0.2.1", 5, 0, 0), "192.0.2.1:5"),
    ],
)
def test_the_address_of_a_client_is_logged(address: tuple[str, int], logged: str) -> None:
    async def main() -> None:
        with capture_logs() as logs:
            HandshakeFailures(lambda: None).add("a cause", address)
        assert [record["client"] for record in logs] == [logged]

    run(main())
