"""Servers that close the connections that the exporter keeps for its next request."""

from __future__ import annotations

import socket
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from tests.certificates import authority
from tests.harness import API_KEYS, Harness
from tests.sockets import SocketServer, asking

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

pytestmark = pytest.mark.integration

MANNERS = ("announced", "at once", "late", "reset")
"""Ways to end a connection after one answer. The last two begin with the next request."""


class Closing(SocketServer):
    """Ends each connection in a ``manner`` after one answer."""

    def __init__(self, simulator: httpx.AsyncBaseTransport, manner: str) -> None:
        super().__init__(simulator)
        self._manner = manner
        self.requests = 0
        """Answered or not."""
        self.is_dead = False
        """Whether it closes connections without an answer."""
        self.headers: list[dict[str, str]] = []
        """Headers for the answers to come, one after the other."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await self.asked(reader)
        if self.is_dead:
            return
        announced = {"Connection": "close"} if self._manner == "announced" else {}
        await self.answer(head, writer, announced | (self.headers.pop(0) if self.headers else {}))
        if self._manner in {"late", "reset", "begun"}:
            await self.asked(reader)
        if self._manner == "begun":
            writer.write(b"HTTP/1.1 200 OK\r\nConte")
        if self._manner == "reset":
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def asked(self, reader: asyncio.StreamReader) -> bytes:
        head = await super().asked(reader)
        self.requests += 1
        return head


@asynccontextmanager
async def behind(manner: str, settings: str) -> AsyncIterator[tuple[Harness, Closing]]:
    """Yield a harness of 25 keys whose exporter asks over a socket."""
    harness = Harness(25)
    closing = Closing(harness.simulator.transport(), manner)
    async with asking(harness, closing, settings):
        yield harness, closing


@pytest.mark.parametrize("manner", MANNERS)
async def test_a_server_that_closes_each_connection_causes_no_failed_request(manner: str) -> None:
    async with behind(manner, "page_size: 2, rate_limit: {reserve: 0}") as (harness, closing):
        for _ in range(3):
            await harness.exporter.refresh_once()
        assert closing.answers == 39  # three listings of 13 pages
        assert harness.clock.monotonic() == 0  # nothing was waited for
        assert harness.value("confluent_cloud_organization_api_keys") == 25
        assert harness.values("confluent_cloud_api_request_failures_total", "reason") == {}
        assert harness.values("confluent_cloud_api_requests_total", "code") == {"200": 39}
        assert harness.value("confluent_cloud_api_error_ratio", endpoint=API_KEYS) == 0
        assert harness.values("confluent_cloud_exporter_refresh_failures_total", "reason") == {}


async def test_a_request_that_is_sent_twice_counts_twice_against_the_rate_limit() -> None:
    settings = "page_size: 10, refresh_interval: 10m, rate_limit: {reserve: 0.5}"
    async with behind("late", settings) as (harness, closing):
        limit = {"X-RateLimit-Limit": "10", "X-RateLimit-Remaining": "7", "X-RateLimit-Reset": "60"}
        closing.headers = [limit]
        await harness.exporter.refresh_once()
        # After the first page 7 remain, after the second, which was sent twice, 5: the reserve.
        assert closing.requests >= 4
        assert closing.answers == 3
        throttled = harness.values("confluent_cloud_api_throttled_seconds_total", "reason")
        assert 60 <= throttled["reserve"] <= 63


async def test_a_connection_closed_during_a_response_is_a_failure_and_a_retry() -> None:
    async with behind("begun", "page_size: 20") as (harness, closing):
        await harness.exporter.refresh_once()
        assert closing.answers == 2
        assert harness.value("confluent_cloud_organization_api_keys") == 25
        assert harness.values("confluent_cloud_api_request_failures_total", "reason") == {
            "connection": 1
        }
        requests = harness.values("confluent_cloud_api_requests_total", "code")
        assert requests == {"200": 2, "none": 1}


async def test_a_server_that_only_closes_connections_gets_a_bounded_number_of_requests() -> None:
    async with behind("late", "page_size: 20") as (harness, closing):
        await harness.exporter.refresh_once()
        asked, closing.is_dead = closing.requests, True
        await harness.exporter.refresh_once()
        # One attempt and four retries, the first of them twice because its connection was kept.
        assert closing.requests - asked == 6
        assert closing.answers == 2
        assert harness.values("confluent_cloud_api_request_failures_total", "reason") == {
            "connection": 5
        }


async def test_a_closed_tls_connection_causes_no_failed_request(tmp_path: Path) -> None:
    harness, ca = Harness(25), authority(tmp_path, "private")
    closing = Closing(harness.simulator.transport(), "late")
    settings = f"page_size: 2, rate_limit: {{reserve: 0}}, tls: {{ca_file: {ca.certificate}}}"
    async with asking(harness, closing, settings, tls=ca.server_context()):
        await harness.exporter.refresh_once()
    assert (closing.answers, closing.requests) == (13, 25)
    assert harness.values("confluent_cloud_api_request_failures_total", "reason") == {}
    assert harness.values("confluent_cloud_api_requests_total", "code") == {"200": 13}
