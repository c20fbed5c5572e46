"""Response headers and the rate limit of the web configuration, over real connections."""

from __future__ import annotations

import pytest

from exporter.config.web_values import WebRateLimit
from tests.web.sockets import run, serving
from tests.web.tls import over_http_and_https, usual
from tests.web.users import ALICE, Door, visiting

pytestmark = pytest.mark.integration

HEADERS = {
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Frame-Options": "deny",
    "X-Content-Type-Options": "nosniff",
    "X-XSS-Protection": "1",
}
"""Those of exporter-toolkit's test."""


@pytest.mark.parametrize("path", ["/metrics", "/-/healthy", "/error"])
@pytest.mark.parametrize("credentials", [ALICE, None, ("alice", "wrong")])
@over_http_and_https
def test_the_configured_headers_are_in_every_response(
    path: str, credentials: tuple[str, str] | None, transport: str
) -> None:
    async def main() -> None:
        limit = WebRateLimit(interval=60, burst=2)
        door = Door(headers=HEADERS, rate_limit=limit)
        async with visiting(door, transport) as (_, client):
            statuses = set()
            for _ in range(3):
                response = await client.get(path, auth=credentials)
                statuses.add(response.status_code)
                for name, value in HEADERS.items():
                    assert response.headers.get_list(name) == [value]
            allowed = path == "/-/healthy" or credentials == ALICE
            first = (500 if path == "/error" else 200) if allowed else 401
            assert statuses == {first, 429}

    run(main())


def test_a_page_keeps_its_own_content_security_policy() -> None:
    async def main() -> None:
        door = Door({}, headers={"Content-Security-Policy": "default-src https:"})
        async with visiting(door) as (_, client):
            response = await client.get("/")
            policies = response.headers.get_list("Content-Security-Policy")
            assert policies == ["default-src 'none'", "default-src https:"]
            assert response.headers.get_list("X-Frame-Options") == ["sameorigin"]

    run(main())


def test_changed_headers_are_in_the_next_response_of_a_kept_connection() -> None:
    async def main() -> None:
        door = Door({})
        async with serving(door.app) as server:
            client = await server.client()
            assert "x-xss-protection" not in (await client.get())[1]
            door.change(headers={"X-XSS-Protection": " 0\n", "X-Frame-Options": ""})
            headers = (await client.get())[1]
            assert headers["x-xss-protection"] == "0"
            assert headers["x-frame-options"] == "sameorigin"  # a blank one is not set
            door.change(headers={})
            assert "x-xss-protection" not in (await client.get())[1]

    run(main())


@pytest.mark.parametrize(
    ("limit", "refused"),
    [
        (None, 0),
        (WebRateLimit(interval=0, burst=0), 0),
        (WebRateLimit(interval=1, burst=1), 9),
        (WebRateLimit(interval=1, burst=4), 6),
    ],
)
@over_http_and_https
def test_ten_requests_and_a_rate_limit(
    limit: WebRateLimit | None, refused: int, transport: str
) -> None:
    async def main() -> None:
        async with serving(Door({}, rate_limit=limit).app, tls=usual(transport)) as server:
            client = await server.client()
            statuses = [(await client.get())[0] for _ in range(10)]
            assert statuses == [200] * (10 - refused) + [429] * refused

    run(main())


def test_the_rate_limit_is_global_and_includes_refused_users_and_probes() -> None:
    async def main() -> None:
        door = Door(rate_limit=WebRateLimit(interval=90, burst=3))
        async with serving(door.app) as server:
            clients = [await server.client() for _ in range(4)]
            first, *others = clients
            assert (await first.get("/metrics"))[0] == 401
            assert [(await each.get("/-/ready"))[0] for each in others] == [200, 200, 429]
            status, headers, _ = await first.get("/metrics")
            assert (status, headers["retry-after"]) == (429, "90")
            await server.skip(45)
            assert (await first.get("/-/ready"))[1]["retry-after"] == "45"
            await server.skip(45)
            assert [(await each.get("/-/ready"))[0] for each in clients] == [200, 429, 429, 429]
        assert door.failures == 0

    run(main())


def test_a_refused_request_is_not_hashed() -> None:
    async def main() -> None:
        door = Door(rate_limit=WebRateLimit(interval=60, burst=1))
        async with visiting(door) as (_, client):
            for _ in range(5):
                await client.get("/", auth=("alice", "wrong"))
        assert door.compare.calls == door.failures == 1

    run(main())


def test_a_reload_keeps_the_bucket_unless_it_changes_the_limit() -> None:
    async def main() -> None:
        door = Door({}, rate_limit=WebRateLimit(interval=60, burst=1))
        async with serving(door.app) as server:
            client = await server.client()
            assert [(await client.get())[0] for _ in range(2)] == [200, 429]
            door.change(rate_limit=WebRateLimit(interval=60, burst=1), headers=HEADERS)
            assert (await client.get())[0] == 429
            door.change(rate_limit=WebRateLimit(interval=60, burst=2))
            assert [(await client.get())[0] for _ in range(3)] == [200, 200, 429]
            door.change(rate_limit=None)
            assert (await client.get())[0] == 200

    run(main())
