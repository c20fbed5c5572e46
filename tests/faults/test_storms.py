"""Many organizations behind one address that fails, and comes back."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from exporter.simulator import parse_fault
from tests.harness import Harness

NAMES = tuple(f"org-{number:03d}" for number in range(50))
MINUTE = 60.0


def per_second(harness: Harness, since: float, until: float) -> Counter[int]:
    """Return how many requests came in each second."""
    times = (request.time for request in harness.simulator.requests)
    return Counter(int(time) for time in times if since <= time < until)


async def test_fifty_organizations_fall_silent_spread_out_and_come_back_gently() -> None:
    harness = Harness(
        1, names=NAMES, settings="refresh_interval: 5m", faults=[parse_fault("html502")]
    )
    async with harness.exporter.running():
        await harness.clock.sleep(60 * MINUTE)
        failing_until = harness.clock.monotonic()
        harness.simulator.faults.clear()
        await harness.clock.sleep(30 * MINUTE)
        states = harness.exporter.states()
        assert all(state.refreshes["api_keys"].up for state in states)

    first = per_second(harness, 0, 5 * MINUTE)
    later = per_second(harness, 55 * MINUTE, failing_until)
    # At first every attempt is retried four times and the next refresh is near; later a refresh
    # comes once per interval, as it would without any failure.
    assert sum(later.values()) < sum(first.values()) / 2
    assert sum(later.values()) <= len(NAMES) * 5 * 2
    assert max(later.values()) <= 10
    # Each comes back in its own time: never more in one second than when all of them failed.
    back = per_second(harness, failing_until, failing_until + 30 * MINUTE)
    assert max(back.values()) <= 5
    assert sum(back.values()) <= len(NAMES) * 7  # one refresh of one request per interval


async def test_a_refresh_spends_at_most_its_retries() -> None:
    harness = Harness(1, names=NAMES[:20], faults=[parse_fault("500")])
    await harness.exporter.refresh_once()
    requests = Counter(request.account for request in harness.simulator.requests)
    assert set(requests.values()) == {5}


@pytest.mark.parametrize("fault", ["401", "403"])
async def test_refused_credentials_cost_one_request_per_interval_at_most(fault: str) -> None:
    harness = Harness(1, settings="refresh_interval: 5m", faults=[parse_fault(fault)])
    async with harness.exporter.running():
        await harness.clock.sleep(24 * 60 * MINUTE)
    times = [request.time for request in harness.simulator.requests]
    gaps = [after - before for before, after in pairwise(times)]
    assert len(times) > 24 * 60 / 5 / 1.2
    assert min(gaps) >= 5 * MINUTE


async def test_after_a_429_nobody_comes_before_the_time_it_named() -> None:
    harness = Harness(1, settings="refresh_interval: 1m, stale_after: 1h")
    harness.simulator.script(1, "429:900s")
    async with harness.exporter.running():
        await harness.clock.sleep(20 * MINUTE)
    first, second, *_ = (request.time for request in harness.simulator.requests)
    assert 900 <= second - first <= 903
