"""Connections that cannot be accepted or opened, and servers that end."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from exporter.web import Limits, bind, serve
from tests.web.sockets import GET, SkippingLoop, answers, hello, is_closed, run, serving

if TYPE_CHECKING:
    import socket

    from starlette.types import Receive, Scope, Send

pytestmark = pytest.mark.integration


def test_a_client_that_leaves_before_it_is_accepted_stops_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    accept = SkippingLoop.sock_accept
    failures = [ConnectionAbortedError(), ConnectionAbortedError()]

    async def sock_accept(loop: SkippingLoop, listener: socket.socket) -> tuple[socket.socket, Any]:
        if failures:
            raise failures.pop()
        return await accept(loop, listener)

    async def main() -> None:
        async with serving(hello) as server:
            assert await answers(await server.client())

    monkeypatch.setattr(SkippingLoop, "sock_accept", sock_accept)
    run(main())
    assert failures == []


def test_a_connection_that_cannot_be_opened_is_not_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect = SkippingLoop.connect_accepted_socket
    failures = [ConnectionResetError()]

    async def connect_accepted_socket(loop: SkippingLoop, *arguments: Any) -> Any:
        if failures:
            raise failures.pop()
        return await connect(loop, *arguments)

    async def main() -> None:
        async with serving(hello, Limits(connections=1)) as server:
            assert await is_closed(await server.client())
            assert await answers(await server.client())

    monkeypatch.setattr(SkippingLoop, "connect_accepted_socket", connect_accepted_socket)
    run(main())
    assert failures == []


def test_a_connection_that_does_not_open_is_closed_after_ten_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def connect_accepted_socket(*_: Any) -> NoReturn:
        await asyncio.Event().wait()
        raise AssertionError

    async def main() -> None:
        async with serving(hello) as server:
            client = await server.client()
            await server.skip(9)
            closed = asyncio.ensure_future(is_closed(client))
            await server.skip(0)
            assert not closed.done()
            await server.skip(3)
            assert await closed

    monkeypatch.setattr(SkippingLoop, "connect_accepted_socket", connect_accepted_socket)
    run(main())


def test_a_full_server_accepts_again_when_an_answer_is_complete() -> None:
    complete = asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await complete.wait()
        await hello(scope, receive, send)

    async def main() -> None:
        async with serving(slow, Limits(connections=1)) as server:
            first = await server.client()
            await first.send(GET)
            await server.skip(0)
            second = await server.client()
            await second.send(GET)
            await server.skip(60)
            complete.set()
            assert (await first.response())[0] == 200
            assert (await second.response())[0] == 200
            assert await is_closed(first)

    run(main())


def test_an_application_that_fails_is_an_error_in_the_log_and_a_500(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def failing(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise RuntimeError("broken")

    async def main() -> None:
        async with serving(failing) as server:
            assert (await (await server.client()).get())[0] == 500

    run(main())
    (record,) = caplog.records
    assert (record.levelno, record.getMessage().strip()) == (
        logging.ERROR,
        "Exception in ASGI application",
    )


def test_an_application_that_hangs_is_cancelled_when_the_server_stops(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cancelled = []

    async def hanging(_scope: Scope, _receive: Receive, _send: Send) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def main() -> None:
        async with serving(hanging, Limits(shutdown=0.1)) as server:
            client = await server.client()
            await client.send(GET)
            await server.skip(0)
            assert cancelled == []
        assert cancelled == [True]

    run(asyncio.wait_for(main(), 10))
    assert caplog.records == []


def test_a_server_that_ends_by_itself_raises_the_cause() -> None:
    async def main() -> None:
        ended = asyncio.Event()
        (listener,) = bind(["127.0.0.1:0"])
        listener.close()
        async with serve(hello, [listener], ended=ended.set):
            await asyncio.wait_for(ended.wait(), 10)

    with pytest.raises(ExceptionGroup) as error:
        run(main())
    (why,) = error.value.exceptions
    assert isinstance(why, OSError)
    assert why.strerror == "Bad file descriptor"
