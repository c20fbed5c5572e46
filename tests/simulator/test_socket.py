"""A broken connection and repeated headers over a real socket."""

from __future__ import annotations

import asyncio
import logging

import httpx
import pytest
import uvicorn

from exporter.clock import SystemClock
from exporter.simulator import (
    API_KEYS_PATH,
    METRICS_QUERY_PATH,
    Account,
    SimulatedOrganization,
    Simulator,
)
from tests.simulator.helpers import SECRET, some_keys
from tests.simulator.metrics import query_body

pytestmark = pytest.mark.integration


async def _serve_and_ask(simulator: Simulator) -> None:
    config = uvicorn.Config(simulator, port=0, log_config=None, access_log=False, lifespan="on")
    server = uvicorn.Server(config)
    listening = config.bind_socket()
    listening.listen()  # so that the client can connect before the server runs
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        origin = f"http://127.0.0.1:{listening.getsockname()[1]}"
        url = origin + API_KEYS_PATH
        async with httpx.AsyncClient(auth=("CLOUDKEY", SECRET), trust_env=False) as client:
            simulator.script(1, "reset")
            with pytest.raises(httpx.RemoteProtocolError):
                await client.get(url)
            response = await client.get(url)
            assert response.status_code == 200
            assert len(response.json()["data"]) == 3
            answer = await client.post(origin + METRICS_QUERY_PATH, json=query_body())
            assert answer.json()["data"] == []
            assert answer.headers.get_list("rateLimit-limit") == ["300", "300"]
    finally:
        server.should_exit = True
        await serving


def test_broken_connections_and_queries_work_over_a_socket_without_a_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    account = Account("CLOUDKEY", SECRET, SimulatedOrganization(some_keys(3)))

    asyncio.run(_serve_and_ask(Simulator([account], clock=SystemClock())))

    assert "Traceback" not in caplog.text
    assert [record for record in caplog.records if record.exc_info] == []
