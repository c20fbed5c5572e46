from __future__ import annotations

import asyncio
import gzip
import threading
from typing import NoReturn

import httpx
import pytest

from exporter.exposition import Format
from exporter.simulator import CLOUD, SimulatedKey, SimulatedOwner, parse_fault
from exporter.web import Pages, create_app
from tests.harness import SECRET, Harness
from tests.virtual_time import EPOCH
from tests.web.browser import browser


async def test_metrics_in_the_requested_format_and_encoding() -> None:
    harness = Harness(5)
    await harness.exporter.refresh_once()
    async with browser(harness) as client:
        plain = await client.get("/metrics", headers={"Accept-Encoding": "identity"})
        assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert "content-encoding" not in plain.headers
        assert plain.headers["vary"] == "Accept, Accept-Encoding"
        assert plain.text == harness.exposition()
        openmetrics = await client.get(
            "/metrics",
            headers={
                "Accept": "application/openmetrics-text;version=1.0.0",
                "Accept-Encoding": "gzip",
            },
        )
        assert openmetrics.headers["content-type"] == (
            "application/openmetrics-text; version=1.0.0; charset=utf-8"
        )
        assert openmetrics.headers["content-encoding"] == "gzip"
        assert openmetrics.content == harness.exporter.exposition.scrape(
            Format.OPENMETRICS, gzip=False
        )
        async with client.stream("GET", "/metrics", headers={"Accept-Encoding": "gzip"}) as raw:
            body = b"".join([chunk async for chunk in raw.aiter_raw()])
        assert gzip.decompress(body).decode() == harness.exposition()


async def test_a_scrape_sends_no_request_and_does_not_wait() -> None:
    harness = Harness(5, faults=[parse_fault("slow:5s")])
    async with harness.exporter.running(), browser(harness) as client:
        await harness.clock.sleep(1)
        for _ in range(10):
            assert (await client.get("/metrics")).status_code == 200
        assert harness.clock.monotonic() == 1
        assert len(harness.simulator.requests) == 1


async def test_the_telemetry_path_is_configurable() -> None:
    harness = Harness(5)
    async with browser(harness, telemetry_path="/prom") as client:
        assert (await client.get("/prom")).status_code == 200
        assert (await client.get("/metrics")).status_code == 404
        assert 'href="./prom"' in (await client.get("/")).text
    async with browser(harness, telemetry_path="/") as client:
        assert "# HELP" in (await client.get("/")).text


@pytest.mark.parametrize("path", ["/nothing", "/metrics/", "/-/reload", "/-/"])
async def test_any_other_path_is_404_and_refers_to_the_status_page(path: str) -> None:
    async with browser(Harness(5)) as client:
        response = await client.get(path)
    assert response.status_code == 404
    assert response.text == "Not found. See / for the available pages.\n"


@pytest.mark.parametrize("path", ["/", "/metrics", "/-/healthy", "/-/ready"])
async def test_head_is_get_without_a_body_and_nothing_can_be_written(path: str) -> None:
    harness = Harness(5)
    await harness.exporter.refresh_once()
    async with browser(harness) as client:
        head, get = await client.head(path), await client.get(path)
        assert head.status_code == get.status_code == 200
        assert head.content == b""
        assert get.content
        assert head.headers["content-type"] == get.headers["content-type"]
        assert (await client.post(path)).status_code == 405


@pytest.mark.parametrize("path", ["/", "/metrics", "/-/healthy", "/-/ready", "/nothing"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_every_response_has_nosniff(path: str, method: str) -> None:
    async with browser(Harness(5)) as client:
        response = await client.request(method, path)
    assert response.headers.get_list("x-content-type-options") == ["nosniff"]


async def test_an_internal_error_has_nosniff() -> None:
    harness = Harness(5)
    app = create_app(Broken(), harness.exporter.exposition, Pages(), clock=harness.clock)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://exporter") as client:
        response = await client.get("/-/healthy")
    assert response.status_code == 500
    assert response.headers["x-content-type-options"] == "nosniff"


class Broken:
    """A source that cannot tell anything."""

    rejected_config = None
    shard = ""

    def states(self, *_: object) -> NoReturn:
        raise RuntimeError

    overview = dead_loops = latest_listings = states


async def test_the_status_page_shows_why_the_web_configuration_was_rejected() -> None:
    problem = "web.yaml:1: junk: unknown setting <b>"
    async with browser(Harness(1), rejected_web_config=lambda: problem) as client:
        page = (await client.get("/")).text
    assert "The new web configuration was rejected." in page
    assert "web.yaml:1: junk: unknown setting &lt;b&gt;" in page
    assert "The new configuration was rejected." not in page


def test_the_status_page_is_not_rendered_on_the_event_loop() -> None:
    threads: list[int] = []

    def overview() -> list[NoReturn]:
        threads.append(threading.get_ident())
        return []

    async def main() -> None:  # without virtual time, in which threads run on the event loop
        harness = Harness(1)
        harness.exporter.overview = lambda: overview  # type: ignore[method-assign]
        async with browser(harness) as client:
            assert (await client.get("/")).status_code == 200

    asyncio.run(main())
    assert len(threads) == 1
    assert threads != [threading.get_ident()]


async def test_ready_once_every_organization_has_been_tried() -> None:
    harness = Harness(5, names=("acme", "globex"), faults=[parse_fault("slow:3s")])
    harness.accounts[1].role = "none"
    async with harness.exporter.running(), browser(harness) as client:
        await harness.clock.sleep(1)
        response = await client.get("/-/ready")
        assert (response.status_code, response.text) == (
            503,
            "Organizations waiting for their first refresh: 2.\n",
        )
        await harness.clock.sleep(3)
        response = await client.get("/-/ready")
        assert (response.status_code, response.text) == (200, "Ready.\n")


async def test_healthy_while_the_loops_run() -> None:
    harness = Harness(5)
    async with harness.exporter.running(), browser(harness) as client:
        await harness.clock.sleep(1)
        response = await client.get("/-/healthy")
        assert (response.status_code, response.text) == (200, "Healthy.\n")
        (loop,) = [task for task in all_refresh_tasks() if not task.done()]
        loop.cancel()
        await harness.clock.sleep(1)
        response = await client.get("/-/healthy")
        assert response.status_code == 503
        assert response.text == "Refresh loops have stopped: 1. Restart the exporter.\n"


def all_refresh_tasks() -> list[asyncio.Task[object]]:
    return [task for task in asyncio.all_tasks() if task.get_name().startswith("refresh ")]


async def test_the_page_says_what_is_known_and_what_went_wrong() -> None:
    harness = Harness(1234, names=("acme", "globex"), settings="page_size: 100")
    harness.accounts[1].role = "none"
    async with harness.exporter.running(), browser(harness) as client:
        await harness.clock.sleep(90)
        page = (await client.get("/")).text
    assert "1\u202f234" in page
    assert "1 min 30 s ago" in page
    assert "failing: forbidden" in page
    assert "has no role" in page
    (request_id,) = {r.request_id for r in harness.simulator.requests if r.status == 403}
    assert request_id in page
    assert SECRET not in page


async def test_the_page_before_anything_is_known() -> None:
    async with browser(Harness(5)) as client:
        page = (await client.get("/")).text
    assert "first refresh in progress" in page
    assert "not known yet" in page


async def test_the_page_says_when_the_counts_are_too_old() -> None:
    harness = Harness(5, settings="refresh_interval: 1m, stale_after: 2m")
    async with harness.exporter.running(), browser(harness) as client:
        await harness.clock.sleep(1)
        harness.accounts[0].role = "none"
        await harness.clock.sleep(180)
        page = (await client.get("/")).text
    assert "too old to publish" in page


async def test_nothing_from_the_network_becomes_markup() -> None:
    harness = Harness(0, settings="page_size: 10")
    harness.organization.add(
        SimulatedKey(
            id="<script>K</script>",
            owner=SimulatedOwner("sa-<img src=x>", "service-account"),
            resources=(CLOUD,),
            created_at=EPOCH,
        )
    )
    await harness.exporter.refresh_once()
    async with browser(harness) as client:
        page = await client.get("/")
    assert "<script" not in page.text
    assert "<img" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"


async def test_a_configuration_that_was_refused_is_on_the_page_until_a_good_one_comes() -> None:
    harness = Harness(5)
    harness.exporter.reject("config.yaml:3: <b>what</b> is wrong")
    async with browser(harness) as client:
        page = (await client.get("/")).text
        assert "config.yaml:3: &lt;b&gt;what&lt;/b&gt; is wrong" in page
        await harness.exporter.reload(harness.config)
        assert "config.yaml:3" not in (await client.get("/")).text
    await harness.exporter.aclose()
