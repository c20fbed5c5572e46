"""Requests that do not see the keys of a server without authentication, byte by byte."""

from __future__ import annotations

import pytest

from exporter.web import Pages
from tests.harness import Harness
from tests.web.sockets import run, serving

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        ("GET /keys HTTP/1.0", 403),
        ("GET /keys HTTP/1.1", 400),
        ("GET /keys HTTP/1.1\r\nHost: localhost\r\nHost: localhost", 400),
        ("GET /keys HTTP/1.0\r\nHost: localhost\r\nHost: example.com", 400),
        ("GET /keys HTTP/1.1\r\nHost: example.com\r\nX-Forwarded-Host: localhost", 403),
        ("GET /keys HTTP/1.1\r\nHost: example.com\r\nForwarded: host=localhost", 403),
        ("GET /keys HTTP/1.1\r\nHost: example.com\r\nX-Forwarded-For: 127.0.0.1", 403),
        ("GET /keys HTTP/1.1\r\nHost: localhost.", 403),
        ("GET /keys HTTP/1.1\r\nHost: localhost, example.com", 403),
        ("GET /keys HTTP/1.1\r\nHost: [::1%25lo]", 403),
        ("GET /keys HTTP/1.1\r\nHost:", 403),
        ("GET http://example.com/keys HTTP/1.1\r\nHost: localhost", 404),
        ("GET http://localhost/keys HTTP/1.1\r\nHost: example.com", 404),
        ("GET /%6beys HTTP/1.1\r\nHost: example.com", 403),
        ("HEAD /keys HTTP/1.1\r\nHost: example.com", 403),
        ("POST /keys HTTP/1.1\r\nHost: localhost", 405),
    ],
)
def test_a_request_that_is_not_for_exactly_one_loopback_name_is_refused(
    request_head: str, status: int
) -> None:
    async def main() -> int:
        app = Harness().exporter.web(Pages(inventory=True))
        async with serving(app) as server:
            client = await server.client()
            await client.send(f"{request_head}\r\n\r\n".encode())
            return (await client.response(request_head.split(maxsplit=1)[0]))[0]

    assert run(main()) == status
