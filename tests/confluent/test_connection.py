"""Proxies, connections and their reuse, over real sockets."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import httpx
import pytest

from exporter.config import Tls
from exporter.confluent.connection import TRANSPORT_ERRORS, Connection
from exporter.confluent.request import Request
from exporter.confluent.trust import TrustStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.confluent.connection import Answer

pytestmark = pytest.mark.integration

API = "https://api.example.invalid"


async def ask(
    connection: Connection,
    url: str,
    *,
    request: Request | None = None,
    timeout: float = 5.0,  # noqa: ASYNC109 # that of the request
    on_send: Callable[[], None] = lambda: None,
    on_headers: Callable[[int, httpx.Headers], None] = lambda *_: None,
) -> Answer:
    return await connection.send(
        request or Request("/any"),
        httpx.URL(url),
        headers={"Authorization": "Basic a2V5OnNlY3JldA=="},
        timeout=timeout,
        on_send=on_send,
        on_headers=on_headers,
    )


async def asked_of_a_proxy(monkeypatch: pytest.MonkeyPatch, url: str, **environ: str) -> str:
    """Return the first line that a proxy hears of a request to ``url``; it hangs up then."""
    heard = ""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heard
        heard = (await reader.readline()).decode().strip()
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    address = "{}:{}".format(*server.sockets[0].getsockname())
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value.format(proxy=address))
    connection = Connection(url, max_body=1000, trust=TrustStore(os.environ).of(Tls()))
    async with server:
        with pytest.raises((*TRANSPORT_ERRORS, TimeoutError)):
            await ask(connection, f"{url}/iam/v2/api-keys")
    await connection.aclose()
    return heard


@pytest.mark.parametrize(
    "environ",
    [
        {"HTTPS_PROXY": "http://{proxy}"},
        {"HTTPS_PROXY": "{proxy}"},
        {"ALL_PROXY": "http://{proxy}"},
        {"https_proxy": "http://{proxy}", "NO_PROXY": "other.example.invalid"},
        {"https_proxy": "http://{proxy}", "NO_PROXY": "api.example.invalid:8443"},
    ],
)
async def test_requests_go_through_the_proxy_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]
) -> None:
    heard = await asked_of_a_proxy(monkeypatch, API, **environ)
    assert heard == "CONNECT api.example.invalid:443 HTTP/1.1"


@pytest.mark.parametrize(
    ("url", "environ"),
    [
        (API, {}),
        (API, {"HTTP_PROXY": "http://{proxy}"}),
        (API, {"HTTPS_PROXY": "http://{proxy}", "NO_PROXY": "example.invalid"}),
        (API, {"HTTPS_PROXY": "http://{proxy}", "NO_PROXY": "localhost, .example.invalid"}),
        (API, {"ALL_PROXY": "http://{proxy}", "NO_PROXY": "*"}),
        (API, {"ALL_PROXY": "http://{proxy}", "NO_PROXY": "localhost, *"}),
        (f"{API}:8443", {"ALL_PROXY": "http://{proxy}", "NO_PROXY": "api.example.invalid:8443"}),
        ("http://127.0.0.1:9", {"HTTP_PROXY": "http://{proxy}", "ALL_PROXY": "http://{proxy}"}),
    ],
)
async def test_requests_go_past_proxies_that_are_not_for_them(
    monkeypatch: pytest.MonkeyPatch, url: str, environ: dict[str, str]
) -> None:
    assert not await asked_of_a_proxy(monkeypatch, url, **environ)


class Upstream:
    """Answers over a socket, and counts the connections that it took and that are still open."""

    def __init__(self) -> None:
        self.taken = 0
        self.open = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.taken += 1
        self.open += 1
        try:
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                if b"/silent" in request:
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
                    continue
                body = b"x" * (5000 if b"/large" in request else 2)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()


def refuse(_status: int, _headers: httpx.Headers) -> None:
    raise RuntimeError("unusable")


@pytest.mark.parametrize(
    ("path", "on_headers", "timeout", "ends_with"),
    [
        ("/large", lambda *_: None, 5.0, ValueError),
        ("/fine", refuse, 5.0, RuntimeError),
        ("/silent", lambda *_: None, 0.05, TimeoutError),
    ],
)
async def test_after_an_unusable_answer_the_next_request_succeeds(
    path: str,
    on_headers: Callable[[int, httpx.Headers], None],
    timeout: float,  # noqa: ASYNC109 # that of the exchange
    ends_with: type[Exception],
) -> None:
    upstream = Upstream()
    server = await asyncio.start_server(upstream, "127.0.0.1", 0)
    url = "http://{}:{}".format(*server.sockets[0].getsockname())
    connection = Connection(url, max_body=1000)
    async with server:
        for _ in range(3):
            with pytest.raises(ends_with):
                await ask(connection, url + path, timeout=timeout, on_headers=on_headers)
            answer = await ask(connection, f"{url}/fine")
            assert answer.body == b"xx"
            assert upstream.open == 1
        await connection.aclose()


async def test_a_connection_is_reused_after_its_answer_has_been_read() -> None:
    upstream = Upstream()
    server = await asyncio.start_server(upstream, "127.0.0.1", 0)
    url = "http://{}:{}".format(*server.sockets[0].getsockname())
    connection = Connection(url, max_body=1000)
    async with server:
        for _ in range(3):
            await ask(connection, f"{url}/fine")
        assert upstream.taken == 1
        await connection.aclose()
