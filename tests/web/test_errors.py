"""Errors that come again and again."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import pytest
from structlog.testing import capture_logs

from exporter.web.loop_errors import logged_sparingly
from tests.web.sockets import answers, hello, run, serving

if TYPE_CHECKING:
    from collections.abc import Iterator


pytestmark = pytest.mark.integration


@contextmanager
def no_more_descriptors() -> Iterator[None]:
    """Let the process open no more files while the context is open."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_without_descriptors_the_server_says_so_once_a_minute_and_recovers() -> None:
    async def main() -> None:
        async with serving(hello) as server:
            sockets = [server.unconnected() for _ in range(50)]
            with no_more_descriptors(), capture_logs() as logs:
                clients = [await server.connect(each) for each in sockets]
                for _ in range(20):
                    await server.skip(2)
                assert [each["event"] for each in logs] == ["cannot accept connections; retrying"]
                assert logs[0]["error"] == "Too many open files"
                await server.skip(30)
                assert len(logs) == 2
            await server.skip(2)
            for each in clients:
                assert await answers(each)

    run(main())


def test_equal_errors_of_the_event_loop_are_logged_once_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail() -> NoReturn:
        raise RuntimeError("again")

    def fail_otherwise() -> NoReturn:
        raise RuntimeError("otherwise")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with serving(hello) as server:
            for _ in range(100):
                loop.call_soon(fail)
                loop.call_exception_handler({"message": "without an exception"})
            loop.call_soon(fail_otherwise)
            await server.skip(61)
            loop.call_soon(fail)
            await server.skip(0)
        assert loop.get_exception_handler() is None

    caplog.set_level(logging.ERROR)
    run(main())
    said = [
        str(each.exc_info[1]) if each.exc_info else each.getMessage() for each in caplog.records
    ]
    assert said == [
        "without an exception",
        "again",
        "otherwise",
        "99 more errors like the following were not logged",
        "again",
    ]


async def test_a_hundred_kinds_of_errors_are_remembered(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.get_running_loop()
    with logged_sparingly(loop):
        for kind in range(100):
            loop.call_exception_handler({"message": f"{kind}"})
        loop.call_exception_handler({"message": "0"})  # known, and so not logged again
        loop.call_exception_handler({"message": "one more"})  # makes it forget all others
        loop.call_exception_handler({"message": "0"})
    said = [each.getMessage() for each in caplog.records]
    assert said == [*map(str, range(100)), "one more", "0"]


async def test_an_existing_exception_handler_stays() -> None:
    loop, handled = asyncio.get_running_loop(), []
    loop.set_exception_handler(lambda _, context: handled.append(context["message"]))
    with logged_sparingly(loop):
        for _ in range(2):
            loop.call_exception_handler({"message": "again"})
    assert handled == ["again", "again"]
    assert loop.get_exception_handler() is not None
