from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest

from exporter.web import PROBE_LIMITS, Limits, Pages, bind, create_probe_app, serve
from tests.harness import Harness
from tests.web.sockets import GET, Client, hello, run, serving

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


def client(app: ASGIApp) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://exporter")


async def test_the_probe_address_serves_the_probes_and_nothing_else() -> None:
    harness = Harness(3)
    async with client(create_probe_app(harness.exporter)) as one:
        assert (await one.get("/-/healthy")).text == "Healthy.\n"
        waiting = await one.get("/-/ready")
        assert waiting.status_code == 503
        assert waiting.text == "Organizations waiting for their first refresh: 1.\n"
        await harness.exporter.refresh_once()
        assert (await one.get("/-/ready")).status_code == 200
        assert (await one.head("/-/ready")).status_code == 200
        assert (await one.post("/-/ready")).status_code == 405
        for path in ("/", "/metrics", "/keys", "/-/reload", "/-/healthy/", "/-/"):
            response = await one.get(path)
            assert response.status_code == 404
            assert response.text == (
                "Not found. This address serves only /-/healthy and /-/ready.\n"
            )
            assert response.headers["x-content-type-options"] == "nosniff"


async def test_without_probes_the_application_answers_404_to_them() -> None:
    harness = Harness(3)
    await harness.exporter.refresh_once()
    async with client(harness.exporter.web(Pages(probes=False))) as one:
        moved = await one.get("/-/healthy")
        assert moved.status_code == 404
        assert moved.text == "Not found. The probes are served on --web.probe-listen-address.\n"
        assert (await one.get("/-/ready")).status_code == 404
        assert (await one.get("/metrics")).status_code == 200


@pytest.mark.integration
def test_a_flood_of_the_main_address_does_not_affect_the_probes() -> None:
    async def main() -> None:
        end = asyncio.Event()

        async def busy(scope: Scope, receive: Receive, send: Send) -> None:
            await end.wait()
            await hello(scope, receive, send)

        probe_sockets = bind(["127.0.0.1:0"])
        async with (
            serving(busy, limits=Limits(connections=4)) as flooded,
            serve(create_probe_app(Harness(3).exporter), probe_sockets, limits=PROBE_LIMITS),
        ):
            clients = [await flooded.client() for _ in range(4)]
            for each in clients:
                await each.send(GET)
            await flooded.skip(0)
            for _ in range(4):  # the server has no place for them
                await flooded.client()
            probe = await flooded.connect(flooded.unconnected(), probe_sockets[0].getsockname())
            assert (await probe.get("/-/healthy"))[0] == 200
            end.set()
            for each in clients:
                assert (await each.response())[0] == 200

    run(main())


@pytest.mark.integration
def test_silent_clients_of_the_probe_address_do_not_keep_a_probe_out() -> None:
    async def main() -> None:
        async with serving(hello, limits=PROBE_LIMITS) as served:
            silent = [await served.client() for _ in range(PROBE_LIMITS.connections + 5)]
            probe: Client = await served.client()
            assert (await probe.get())[0] == 200
            assert await silent[0].receive() == b""

    run(main())
