"""Every fault, at every place of the walk, in a first refresh and in a later one.

Whatever fails, the inventory that is published stays as it was to the byte; what moved is told by
the metrics, worked out here from the table and compared with what the simulator saw.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import NamedTuple

import pytest

from tests.harness import API_KEYS, Harness, configuration
from tests.programs_output import inventory_part

PAGES = 3
KEYS = 25  # in pages of 10
RETRIED = 5  # attempts at one request


class Fault(NamedTuple):
    spec: str
    reason: str
    code: str
    """Status of the response that the fault breaks or replaces."""
    attempts: int
    """How often the request is tried when the fault stays."""


FAULTS = [
    Fault("500", "server_error", "500", RETRIED),
    Fault("html502", "server_error", "502", RETRIED),
    Fault("gzip-error", "server_error", "500", RETRIED),
    Fault("429", "rate_limited", "429", RETRIED),
    Fault("slow:60s", "timeout", "none", RETRIED),
    Fault("reset", "connection", "200", RETRIED),
    Fault("truncated", "invalid_response", "200", 1),
    Fault("array", "invalid_response", "200", 1),
    Fault("redirect:foreign", "invalid_response", "307", 1),
    Fault("notoken", "pagination", "200", 1),
    Fault("401", "unauthorized", "401", 1),
    Fault("403", "forbidden", "403", 1),
    Fault("forbidden-key", "unauthorized", "403", 1),
]


@pytest.mark.parametrize("later", [False, True], ids=["first refresh", "later refresh"])
@pytest.mark.parametrize("page", range(1, PAGES + 1))
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.spec)
async def test_the_inventory_stays_to_the_byte_and_the_metrics_tell(
    fault: Fault, page: int, *, later: bool
) -> None:
    harness = Harness(KEYS, settings="page_size: 10, refresh_timeout: 5m")
    if later:
        await harness.exporter.refresh_once()
        harness.simulator.reset_requests()
    before, before_text = harness.series(), harness.exposition()
    for attempt in range(fault.attempts):
        harness.simulator.script(page + attempt, fault.spec)
    await harness.exporter.refresh_once()

    assert inventory_part(harness.exposition()) == inventory_part(before_text)
    assert bool(inventory_part(harness.exposition())) == later

    moved = changes(before, harness.series())
    good = page - 1
    codes = Counter({"200": good}) + Counter({fault.code: fault.attempts})
    assert moved.pop("requests_total") == {code: count for code, count in codes.items() if count}
    assert moved.pop("request_failures_total") == {fault.reason: fault.attempts}
    assert moved.pop("refreshes_total") == {"": 1}
    assert moved.pop("refresh_failures_total") == {fault.reason: 1}
    assert moved.pop("request_duration_seconds_count") == {"": good + fault.attempts}
    assert sum(moved.pop("throttled_seconds_total", {}).values()) == pytest.approx(
        held_back(harness, fault)
    )
    assert moved == {}

    collector = {"collector": "api_keys"}
    assert harness.value("confluent_cloud_up", **collector) == 0
    success = "confluent_cloud_exporter_last_success_timestamp_seconds"
    assert harness.value(success, **collector) == before.get(
        (success, frozenset({("collector", "api_keys"), ("organization", "acme")}))
    )
    ratio = harness.value("confluent_cloud_api_error_ratio", endpoint=API_KEYS)
    assert ratio == pytest.approx(fault.attempts / (good + fault.attempts))


def held_back(harness: Harness, fault: Fault) -> float:
    """Return the seconds between the attempts, less those for which an answer was awaited."""
    times = [request.time for request in harness.simulator.requests]
    awaited = 10.0 * (fault.attempts - 1) if fault.spec.startswith("slow") else 0.0
    return times[-1] - times[0] - awaited


def changes(
    before: dict[tuple[str, frozenset[tuple[str, str]]], float],
    after: dict[tuple[str, frozenset[tuple[str, str]]], float],
) -> dict[str, dict[str, float]]:
    """Return by how much each counter moved, by short name and its code or reason."""
    moved: dict[str, dict[str, float]] = {}
    for (name, labels), value in after.items():
        change = value - before.get((name, labels), 0)
        counts = name.endswith(("_total", "_count"))
        if counts and not math.isclose(change, 0, abs_tol=1e-9):
            short = name.removeprefix("confluent_cloud_api_").removeprefix(
                "confluent_cloud_exporter_"
            )
            of = dict(labels)
            moved.setdefault(short, {})[of.get("code", of.get("reason", ""))] = change
    return moved


@pytest.mark.parametrize("page", range(1, PAGES + 1))
@pytest.mark.parametrize(
    "fault", [f for f in FAULTS if f.attempts > 1], ids=lambda fault: fault.spec
)
async def test_a_fault_that_passes_leaves_a_complete_listing(fault: Fault, page: int) -> None:
    harness = Harness(KEYS, settings="page_size: 10, refresh_timeout: 5m")
    for attempt in range(fault.attempts - 1):
        harness.simulator.script(page + attempt, fault.spec)
    await harness.exporter.refresh_once()
    assert harness.value("confluent_cloud_organization_api_keys") == KEYS
    assert harness.value("confluent_cloud_up", collector="api_keys") == 1
    assert harness.values("confluent_cloud_api_request_failures_total", "reason") == {
        fault.reason: fault.attempts - 1
    }
    assert len(harness.simulator.requests) == PAGES + fault.attempts - 1


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("page", range(1, PAGES + 1))
async def test_a_loop_from_any_page_on_is_noticed(page: int, *, later: bool) -> None:
    harness = Harness(KEYS, settings="page_size: 10")
    if later:
        await harness.exporter.refresh_once()
        harness.simulator.reset_requests()
    before = harness.exposition()
    for number in range(page, page + 3):
        harness.simulator.script(number, "loop")
    await harness.exporter.refresh_once()
    assert inventory_part(harness.exposition()) == inventory_part(before)
    assert harness.values("confluent_cloud_api_request_failures_total", "reason") == {
        "pagination": 1
    }
    assert len(harness.simulator.requests) <= page + 1


@pytest.mark.parametrize("page", range(1, PAGES))
async def test_credentials_that_are_revoked_in_the_middle(page: int) -> None:
    harness = Harness(KEYS, settings="page_size: 10")
    await harness.exporter.refresh_once()
    before = harness.exposition()

    def revoke(answered: int) -> None:
        if answered == PAGES + page:
            harness.accounts[0].api_secret = "another"

    harness.meanwhile(revoke)
    await harness.exporter.refresh_once()
    assert inventory_part(harness.exposition()) == inventory_part(before)
    assert harness.values("confluent_cloud_exporter_refresh_failures_total", "reason") == {
        "unauthorized": 1
    }


@pytest.mark.parametrize("how", ["stop", "reload"])
@pytest.mark.parametrize("page", range(1, PAGES + 1))
async def test_a_process_that_is_told_to_stop_or_reload_in_the_middle(page: int, how: str) -> None:
    settings = "page_size: 10, refresh_interval: 1m"
    harness = Harness(KEYS, settings=settings)
    async with harness.exporter.running():
        await harness.clock.sleep(59)
        before = harness.exposition()
        harness.simulator.reset_requests()
        harness.simulator.script(page, "slow:5s")
        await harness.clock.sleep(2)
        assert len(harness.simulator.requests) == page
        if how == "reload":
            await harness.exporter.reload(configuration(settings))
            assert inventory_part(harness.exposition()) == inventory_part(before)
            await harness.clock.sleep(10)
            assert harness.value("confluent_cloud_up", collector="api_keys") == 1
            assert len(harness.simulator.requests) == PAGES
            return
    assert inventory_part(harness.exposition()) == inventory_part(before)
