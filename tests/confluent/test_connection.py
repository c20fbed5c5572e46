"""Which way a request takes; what comes of it is told by the tests of the client."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from exporter.confluent.connection import TRANSPORT_ERRORS, Connection

API = "https://api.example.invalid"


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
    connection = Connection(url, max_body=1000, transport=None, tls=True)
    async with server:
        with pytest.raises((*TRANSPORT_ERRORS, TimeoutError)):
            await connection.get(
                f"{url}/iam/v2/api-keys",
                {"page_size": "100"},
                auth=httpx.BasicAuth("key", "secret"),
                timeout=5,
                headers_came=lambda _status, _headers: None,
            )
    await connection.aclose()
    return heard


@pytest.mark.parametrize(
    "environ",
    [
        {"HTTPS_PROXY": "http://{proxy}"},
        {"HTTPS_PROXY": "{proxy}"},
        {"ALL_PROXY": "http://{proxy}"},
        {"https_proxy": "http://{proxy}", "NO_PROXY": "other.example.invalid"},
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
        (API, {"ALL_PROXY": "http://{proxy}", "NO_PROXY": "*"}),
        ("http://127.0.0.1:9", {"HTTP_PROXY": "http://{proxy}", "ALL_PROXY": "http://{proxy}"}),
    ],
)
async def test_requests_go_past_proxies_that_are_not_for_them(
    monkeypatch: pytest.MonkeyPatch, url: str, environ: dict[str, str]
) -> None:
    assert not await asked_of_a_proxy(monkeypatch, url, **environ)
