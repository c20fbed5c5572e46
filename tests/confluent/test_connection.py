"""Proxies, connections and their reuse, over real sockets."""

from __future__ import annotations

import asyncio
import base64
import os
from contextlib import closing
from typing import TYPE_CHECKING

import httpcore
import httpx
import pytest

from exporter.config import Tls
from exporter.confluent.connection import TRANSPORT_ERRORS, Connection
from exporter.confluent.network import NameResolutionTimeout
from exporter.confluent.request import Request
from exporter.confluent.transport import ReusedConnectionClosed
from exporter.confluent.trust import TrustStore
from tests.certificates import authority

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping
    from pathlib import Path

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


async def asked_of_a_proxy(
    monkeypatch: pytest.MonkeyPatch,
    url: str,
    environ: Mapping[str, str],
    *,
    tls: ssl.SSLContext | None = None,
    ca: Path | None = None,
) -> str:
    """Return the head of the request that a proxy gets for one to ``url``; empty if none.

    The proxy closes the connection then. ``tls``: how it is asked. ``ca``: the trusted CA.
    """
    head = ""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal head
        with closing(writer):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=tls)
    address = "{}:{}".format(*server.sockets[0].getsockname())
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value.format(proxy=address))
    trust = TrustStore(os.environ).of(Tls.model_construct(ca_file=ca, strict=True))
    connection = Connection(url, max_body=1000, trust=trust)
    async with server:
        with pytest.raises((*TRANSPORT_ERRORS, TimeoutError)):
            await ask(connection, f"{url}/iam/v2/api-keys")
    await connection.aclose()
    return head


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
    head = await asked_of_a_proxy(monkeypatch, API, environ)
    assert head.splitlines()[0] == "CONNECT api.example.invalid:443 HTTP/1.1"
    assert "authorization" not in head.lower()


async def test_a_proxy_gets_the_user_and_password_of_its_url_and_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proxy = "http://me:p%C3%A4ss%3A@{proxy}"
    head = await asked_of_a_proxy(monkeypatch, API, {"HTTPS_PROXY": proxy})
    expected = base64.b64encode("me:päss:".encode()).decode()
    assert f"Proxy-Authorization: Basic {expected}\r\n" in head
    assert "\r\nAuthorization:" not in head


async def test_a_proxy_over_tls_is_verified_as_the_api_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("ours", "other"):
        (tmp_path / name).mkdir()
    ours, other = (authority(tmp_path / name, name) for name in ("ours", "other"))
    for ca, is_asked in ((ours, True), (other, False)):
        head = await asked_of_a_proxy(
            monkeypatch,
            API,
            {"HTTPS_PROXY": "https://{proxy}"},
            tls=ours.server_context(),
            ca=ca.certificate,
        )
        assert head.startswith("CONNECT api.example.invalid:443") == is_asked


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
async def test_requests_do_not_go_through_proxies_for_other_hosts(
    monkeypatch: pytest.MonkeyPatch, url: str, environ: dict[str, str]
) -> None:
    assert not await asked_of_a_proxy(monkeypatch, url, environ)


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


class ClosesLate(Upstream):
    """Answers one request on each connection and closes it when the next one arrives."""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.taken += 1
        with closing(writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nxx")
            await reader.read(1)


@pytest.mark.parametrize(("repeatable", "sends", "taken"), [(True, 3, 2), (False, 2, 1)])
async def test_only_repeatable_requests_are_sent_again_on_a_new_connection(
    sends: int, taken: int, *, repeatable: bool
) -> None:
    upstream, sent = ClosesLate(), 0

    def on_send() -> None:
        nonlocal sent
        sent += 1

    server = await asyncio.start_server(upstream, "127.0.0.1", 0)
    url = "http://{}:{}".format(*server.sockets[0].getsockname())
    connection = Connection(url, max_body=1000)
    async with server:
        await ask(connection, url, on_send=on_send)
        second = ask(
            connection, url, request=Request("/any", repeatable=repeatable), on_send=on_send
        )
        if repeatable:
            assert (await second).body == b"xx"
        else:
            with pytest.raises(ReusedConnectionClosed):
                await second
        assert (sent, upstream.taken) == (sends, taken)
        await connection.aclose()


async def never(*_: object, **__: object) -> None:
    await asyncio.Event().wait()


async def test_a_name_that_is_not_resolved_in_time_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", never)
    connection = Connection(API, max_body=1000)
    with pytest.raises(NameResolutionTimeout, match=r"api\.example\.invalid"):
        await ask(connection, API)
    await connection.aclose()


async def test_a_tls_handshake_that_does_not_end_leaves_no_connection_open() -> None:
    closed = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            while await reader.read(1000):
                pass
            closed.set()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    url = "https://{}:{}".format(*server.sockets[0].getsockname())
    connection = Connection(url, max_body=1000, trust=TrustStore({}).of(Tls()))
    async with server:
        with pytest.raises(TimeoutError):
            await ask(connection, url, timeout=1)
        await asyncio.wait_for(closed.wait(), 5)
        await connection.aclose()


async def test_a_body_that_is_cut_off_is_an_error_of_httpx() -> None:
    async def cut_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nxx")

    server = await asyncio.start_server(cut_off, "127.0.0.1", 0)
    url = "http://{}:{}".format(*server.sockets[0].getsockname())
    connection = Connection(url, max_body=1000)
    async with server:
        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message"):
            await ask(connection, url)
        await connection.aclose()


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (httpcore.ConnectTimeout, httpx.ConnectTimeout),
        (httpcore.ConnectError, httpx.ConnectError),
        (httpcore.ReadTimeout, httpx.ReadTimeout),
        (httpcore.LocalProtocolError, httpx.LocalProtocolError),
    ],
)
async def test_errors_of_the_transport_are_those_of_httpx(
    monkeypatch: pytest.MonkeyPatch, raised: type[Exception], expected: type[Exception]
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise raised("110")

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", fail)
    connection = Connection("http://127.0.0.1:9", max_body=1000)
    with pytest.raises(expected, match="110") as failure:
        await ask(connection, "http://127.0.0.1:9")
    assert type(failure.value) is expected
    assert isinstance(failure.value, TRANSPORT_ERRORS)
