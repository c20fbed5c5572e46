"""What the operator reads when the API, or the proxy before it, cannot be reached."""

from __future__ import annotations

import asyncio
import socket
from random import Random
from typing import Any

import pytest

from exporter.app import Exporter
from tests.harness import Harness, configuration

HOST = "api.example.invalid"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def _no_such_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the resolver know no name that ends in .invalid, whatever this machine's would say."""
    resolve = socket.getaddrinfo

    def known(host: str | bytes, *args: Any, **kwargs: Any) -> Any:
        name = host if isinstance(host, str) else host.decode()
        if name.endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", known)


async def failure_at(url: str) -> str:
    """Return why a refresh from ``url`` failed."""
    harness = Harness(0)
    harness.exporter = Exporter(
        configuration(url=url, environ=harness.environ),
        clock=harness.clock,
        random=Random(0),
        process_metrics=False,
    )
    await harness.exporter.refresh_once()
    await harness.exporter.aclose()
    failure = harness.state.refreshes["api_keys"].failure
    assert failure is not None
    return f"{failure.reason}: {failure.message.removeprefix('GET /iam/v2/api-keys: ')}"


@pytest.mark.usefixtures("_no_such_name")
async def test_a_name_that_cannot_be_resolved() -> None:
    assert await failure_at(f"https://{HOST}") == (
        f"connection: the name of the API ({HOST}) could not be resolved: Name or service not"
        " known. Check DNS and `url`"
    )


async def test_a_name_that_is_not_a_valid_host_name() -> None:
    failure = await failure_at(f"https://{'a' * 64}.example")
    assert failure == (
        f"connection: the name of the API ({'a' * 64}.example) could not be resolved: not a valid"
        " host name. Check DNS and `url`"
    )


@pytest.mark.usefixtures("_no_such_name")
async def test_a_proxy_whose_name_cannot_be_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://me:s3cret@proxy.example.invalid:3128")
    assert await failure_at(f"https://{HOST}") == (
        "connection: the name of the proxy in https_proxy (proxy.example.invalid) could not be"
        " resolved: Name or service not known. Check DNS and https_proxy"
    )


@pytest.mark.integration
async def test_a_proxy_that_refuses_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("ALL_PROXY", f"me:s3cret@127.0.0.1:{port}")
    assert await failure_at(f"https://{HOST}") == (
        f"connection: no connection to the proxy in ALL_PROXY (127.0.0.1:{port}): Connection"
        " refused. Check the variable and the proxy"
    )


@pytest.mark.integration
async def test_a_proxy_that_requires_authentication(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:s3cret@127.0.0.1:{port}")
        assert await failure_at(f"https://{HOST}") == (
            "connection: the proxy in HTTPS_PROXY refused the connection: 407 Proxy Authentication"
            " Required. Correct the user and password in HTTPS_PROXY"
        )
