from __future__ import annotations

from collections import Counter

import httpx
import pytest
from structlog.testing import capture_logs

from exporter.simulator import (
    APPLIED_QUOTAS_PATH,
    ENVIRONMENTS_PATH,
    KAFKA_CLUSTERS_PATH,
    QUOTA_SCOPES_PATH,
    SERVICE_ACCOUNTS_PATH,
    ApiOptions,
)
from tests.harness import API_KEYS, Harness

PAGES = 30  # of 100 unreadable items each


def unreadable_at(harness: Harness, path: str) -> Harness:
    """Make every item of the listing at ``path`` unreadable, in pages."""
    inner = harness.wire

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path != path:
            return await inner.handle_async_request(request)
        page = int(request.url.params.get("page_token", "1"))
        more = f'"?page_token={page + 1}"' if page < PAGES else "null"
        items = ",".join(f'{{"id": "bad-{page}-{n}", "spec": 7, "x": 1}}' for n in range(100))
        items = items.replace('"id": "bad', '"id": 5, "x": "bad') if path != API_KEYS else items
        body = f'{{"data": [{items}], "metadata": {{"next": {more}}}}}'
        return httpx.Response(200, stream=httpx.ByteStream(body.encode()))

    harness.wire = httpx.MockTransport(answer)
    return harness.configured()


@pytest.mark.parametrize(
    ("path", "listings"),
    [
        (API_KEYS, 1),
        (SERVICE_ACCOUNTS_PATH, 1),
        (ENVIRONMENTS_PATH, 1),
        (KAFKA_CLUSTERS_PATH, None),  # once per environment
        (QUOTA_SCOPES_PATH, 1),
        (APPLIED_QUOTAS_PATH, None),  # once per scope
    ],
)
async def test_ten_unreadable_items_are_logged_and_the_others_are_counted(
    path: str, listings: int | None
) -> None:
    harness = Harness(50, settings="names: {enabled: true}, quotas: {enabled: true}")
    with capture_logs() as logs:
        await unreadable_at(harness, path).exporter.refresh_once()
    if listings is None:
        requests = harness.values("confluent_cloud_api_requests_total", "endpoint")[path]
        assert requests % PAGES == 0
        listings = int(requests) // PAGES
        assert listings > 1
    warnings = [entry for entry in logs if entry["log_level"] == "warning"]
    assert Counter(entry["event"] for entry in warnings) == {
        "unreadable item; it is ignored": 10,
        "more unreadable items; they are ignored too": 1,
    }
    assert {entry["endpoint"] for entry in warnings} == {path}
    assert warnings[-1]["items"] == listings * PAGES * 100 - 10


async def test_total_size_mismatches_of_all_filters_are_logged_in_one_line() -> None:
    harness = Harness(100, options=ApiOptions(total_size=True))
    owners = sorted({key.owner.id for key in harness.organization.keys.values() if key.owner})
    inner = harness.wire

    async def answer(request: httpx.Request) -> httpx.Response:
        response = await inner.handle_async_request(request)
        body = (await response.aread()).replace(b'"total_size":', b'"total_size":9')
        return httpx.Response(200, stream=httpx.ByteStream(body))

    harness.wire = httpx.MockTransport(answer)
    harness.configured(f"    filters: {{owners: [{', '.join(owners)}]}}\n")
    with capture_logs() as logs:
        await harness.exporter.refresh_once()
    (warning,) = [entry for entry in logs if entry["log_level"] == "warning"]
    keys = harness.organization.keys.values()
    assert warning["listed"] == sum(key.owner is not None for key in keys)
    assert warning["total_size"] > warning["listed"]
