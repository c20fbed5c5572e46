from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from exporter.redaction import register
from exporter.web import Pages, reload_route
from tests.harness import Harness
from tests.web.sockets import run, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence


class Reload:
    """Counts the reloads and returns the ``problems``."""

    def __init__(self, *problems: str) -> None:
        self.count = 0
        self._problems = problems

    async def __call__(self) -> Sequence[str]:
        self.count += 1
        return self._problems


@asynccontextmanager
async def client(reload: Reload | None) -> AsyncIterator[httpx.AsyncClient]:
    app = Harness(1).exporter.web(Pages(more=[reload_route(reload)]))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://exporter:10049") as one:
        yield one


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_post_and_put_reload(method: str) -> None:
    reload = Reload()
    async with client(reload) as one:
        response = await one.request(method, "/-/reload", content=b"ignored")
    assert (response.status_code, reload.count) == (200, 1)
    assert response.text == "The configuration was reloaded.\n"
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"


async def test_problems_are_listed_one_a_line_without_secrets_and_controls() -> None:
    register("hush-hush-0123456789")
    reload = Reload(
        "config.yaml:3: name: `a\nb` is not a name",
        "web.yaml:1: `\x1b[31m\u202e` and hush-hush-0123456789",
    )
    async with client(reload) as one:
        response = await one.post("/-/reload")
    assert response.status_code == 500
    assert response.text == (
        "config.yaml:3: name: `a\\nb` is not a name\n"
        "web.yaml:1: `\\u001b[31m\\u202e` and <redacted>\n"
    )
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_without_the_flag_it_is_403_and_names_the_flag() -> None:
    async with client(None) as one:
        response = await one.post("/-/reload")
    assert response.status_code == 403
    assert "--web.enable-lifecycle" in response.text


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS", "PATCH"])
@pytest.mark.parametrize("reload", [Reload(), None])
async def test_other_methods_are_405_with_a_hint(method: str, reload: Reload | None) -> None:
    async with client(reload) as one:
        response = await one.request(method, "/-/reload")
    assert response.status_code == 405
    assert response.headers["allow"] == "POST, PUT"
    if method != "HEAD":
        assert "curl -X POST" in response.text
    assert reload is None or reload.count == 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": ""}, 403),
        # A browser that does not trust the exporter's plain http address sends only this one.
        ({"Origin": "http://exporter:10049"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://exporter:8080"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
async def test_pages_of_other_sites_cannot_reload(headers: dict[str, str], status: int) -> None:
    reload = Reload()
    async with client(reload) as one:
        response = await one.post("/-/reload", headers=headers)
    assert (response.status_code, reload.count) == (status, int(status == 200))


@pytest.mark.integration
def test_a_client_that_disconnects_does_not_stop_the_reload() -> None:
    started, gone, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def reload() -> Sequence[str]:
        started.set()
        await gone.wait()
        done.set()
        return []

    async def main() -> None:
        app = Harness(1).exporter.web(Pages(more=[reload_route(reload)]))
        async with serving(app) as served:
            connection = served.unconnected()
            one = await served.connect(connection)
            await one.send(b"POST /-/reload HTTP/1.1\r\nHost: exporter\r\n\r\n")
            await started.wait()
            connection.close()
            await served.skip(0)
            gone.set()
            await done.wait()

    run(main())
