"""One organization that hangs, floods, lies or fails changes nothing for the others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import pytest

from exporter.simulator import parse_fault
from tests.harness import API_KEY, Harness, key_of
from tests.programs_output import inventory_part

if TYPE_CHECKING:
    from exporter.simulator import ServedRequest

MINUTE = 60.0
GLOBEX = key_of(1)


class Troubled(httpx.AsyncBaseTransport):
    """Lets the first organization meet ``trouble`` instead of the API."""

    def __init__(self, inner: httpx.AsyncBaseTransport, trouble: httpx.AsyncBaseTransport) -> None:
        self._inner, self._trouble = inner, trouble

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        first = (
            request.headers["authorization"]
            == httpx.BasicAuth(API_KEY, "the-secret-of-the-admin")._auth_header
        )
        return await (self._trouble if first else self._inner).handle_async_request(request)


def flood(_request: httpx.Request) -> httpx.Response:
    items = [{"id": str(number), "spec": {}} for number in range(9000)]
    body = {"data": items, "metadata": {"next": "/?page_token=" + "x" * 3000}}
    return httpx.Response(200, stream=httpx.ByteStream(json.dumps(body).encode()))


async def observed(harness: Harness) -> tuple[list[float], list[str]]:
    """Return when globex asked in half an hour, and what is published of it at the end."""
    async with harness.exporter.running():
        await harness.clock.sleep(30 * MINUTE + 1)
        published = [
            line for line in inventory_part(harness.exposition()) if 'organization="globex"' in line
        ]
    served: list[ServedRequest] = [
        request for request in harness.simulator.requests if request.account == GLOBEX
    ]
    return [request.time for request in served], published


def two() -> Harness:
    return Harness(25, names=("acme", "globex"), settings="page_size: 10, refresh_interval: 3m")


@pytest.mark.parametrize("trouble", ["slow:1h", "500", "401", "loop", "truncated", "flood"])
async def test_the_others_keep_their_data_and_their_schedule(trouble: str) -> None:
    undisturbed = await observed(two())
    harness = two()
    if trouble == "flood":
        troubled: httpx.AsyncBaseTransport = httpx.MockTransport(flood)
    else:
        faulty = Harness(25, settings="page_size: 10", faults=[parse_fault(trouble)])
        faulty.clock = harness.clock
        troubled = faulty.simulator.transport()
    harness.wire = Troubled(harness.wire, troubled)
    harness.configured()
    times, published = await observed(harness)
    start = times[0]
    assert [time - start for time in times] == [time - undisturbed[0][0] for time in undisturbed[0]]
    assert published == undisturbed[1] != []
    assert harness.value("confluent_cloud_up", collector="api_keys") in {0, None}
    assert harness.value("confluent_cloud_up", collector="api_keys", organization="globex") == 1
