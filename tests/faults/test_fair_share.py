"""The real client against a simulated window that it shares with others."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.simulator import SimulatedRateLimit, parse_fault
from tests import virtual_time
from tests.harness import API_KEY, Harness

if TYPE_CHECKING:
    from exporter.simulator import RateWindow
    from tests.virtual_time import FakeClock

COMPETITORS = ("terraform", "ci", "a person")


@dataclass(frozen=True)
class Case:
    limit: int
    window: float
    reserve: float
    pages: int
    begins: float
    """Where in a window the exporter starts, as a share of it."""
    schedules: list[list[float]]
    """For each window in turn, when the others send, as shares of it."""


def _cases() -> st.SearchStrategy[Case]:
    moments = st.lists(st.floats(0, 0.999), max_size=12)
    return st.builds(
        Case,
        limit=st.integers(10, 60),
        window=st.sampled_from([1.0, 7.0, 60.0, 900.0, 3600.0]),
        reserve=st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 0.9]),
        pages=st.integers(1, 120),
        begins=st.floats(0, 0.999),
        schedules=st.lists(moments, min_size=1, max_size=4),
    )


async def others(case: Case, window: RateWindow, clock: FakeClock) -> None:
    """Send together at most the reserve in each window, for as long as it takes."""
    share = math.floor(case.reserve * case.limit)
    number = 0
    while True:
        schedule = case.schedules[number % len(case.schedules)]
        # All of the share is sent, at the moments that were drawn, in turns.
        moments = sorted((schedule or [0.0])[n % len(schedule or [0.0])] for n in range(share))
        for turn, moment in enumerate(moments):
            due = (number + moment) * case.window
            await clock.sleep(max(0.0, due - clock.monotonic()))
            window.spend(1, client=COMPETITORS[turn % len(COMPETITORS)])
        number += 1
        await clock.sleep(max(0.0, number * case.window - clock.monotonic()))


def harness_of(case: Case, faults: tuple[str, ...] = ()) -> Harness:
    return Harness(
        case.pages,
        settings="page_size: 1, refresh_interval: 10y, refresh_timeout: 10y, "
        f"rate_limit: {{reserve: {case.reserve}}}",
        rate_limit=SimulatedRateLimit(case.limit, case.window),
        faults=[parse_fault(fault) for fault in faults],
    )


async def shared_walk(case: Case, harness: Harness) -> None:
    window = harness.simulator.window(harness.organization)
    await harness.clock.sleep(case.begins * case.window)
    competition = asyncio.create_task(others(case, window, harness.clock))
    try:
        await harness.exporter.refresh_once()
    finally:
        competition.cancel()


@given(_cases())
def test_nobody_is_refused_because_of_us_and_the_walk_ends(case: Case) -> None:
    async def compete() -> None:
        harness = harness_of(case)
        await shared_walk(case, harness)
        assert harness.value("confluent_cloud_organization_api_keys") == case.pages
        window = harness.simulator.window(harness.organization)
        for number, tallies in window.windows().items():
            ours = tallies.pop(API_KEY, None)
            assert all(tally.refused == 0 for tally in tallies.values()), number
            if ours is not None:
                assert ours.refused == 0
                assert ours.accepted <= (1 - case.reserve) * case.limit + 1

    virtual_time.run(compete())


@given(_cases(), st.sampled_from(["no-headers:0.5", "garbled-headers:0.5", "no-headers:0.9"]))
def test_no_request_goes_against_the_latest_that_was_known(case: Case, fault: str) -> None:
    async def compete() -> None:
        harness = harness_of(case, (fault,))
        await shared_walk(case, harness)
        assert harness.value("confluent_cloud_organization_api_keys") == case.pages
        known: tuple[int, int, float] | None = None
        for at, response in harness.received:
            if known is not None and at < known[2]:
                assert known[1] > case.reserve * known[0]
            remaining = response.headers.get("x-ratelimit-remaining", "")
            if remaining.isdigit():
                reset = at + int(response.headers["x-ratelimit-reset"])
                known = int(response.headers["x-ratelimit-limit"]), int(remaining), reset

    virtual_time.run(compete())


@pytest.mark.parametrize("limit", [10, 100, 10_000])
@pytest.mark.parametrize("window", [1, 60, 3600])
async def test_alone_it_takes_its_share_of_every_window_and_no_more(
    limit: int, window: float
) -> None:
    share = limit // 2
    pages = min(2 * share + 1, 600)
    case = Case(limit, window, 0.5, pages, 0.0, [[]])
    harness = harness_of(case)
    await harness.exporter.refresh_once()
    tallies = harness.simulator.window(harness.organization).windows().values()
    spent = [each[API_KEY].accepted for each in tallies]
    whole, rest = divmod(pages, share)
    assert spent == [share] * whole + ([rest] if rest else [])


async def test_a_restart_in_the_middle_of_a_window_costs_one_request_at_most() -> None:
    case = Case(limit=20, window=60, reserve=0.5, pages=10, begins=0, schedules=[[]])
    harness = harness_of(case)
    await harness.exporter.refresh_once()
    harness.configured()
    await harness.exporter.refresh_once()
    windows = harness.simulator.window(harness.organization).windows()
    assert [each[API_KEY].accepted for each in windows.values()] == [11, 9]


async def test_a_limit_that_changes_during_the_walk_is_followed_at_once() -> None:
    case = Case(limit=100, window=60, reserve=0.5, pages=40, begins=0, schedules=[[]])
    harness = harness_of(case)
    window = harness.simulator.window(harness.organization)

    def lower(answered: int) -> None:
        if answered == 15:
            window.limit = 20

    harness.meanwhile(lower)
    await harness.exporter.refresh_once()
    assert harness.value("confluent_cloud_organization_api_keys") == 40
    # The 16th answer tells of the new limit: 4 remain, and 10 belong to others.
    assert [each[API_KEY].accepted for each in window.windows().values()] == [16, 10, 10, 4]


async def test_headers_that_stop_coming_leave_the_latest_limit_in_force() -> None:
    case = Case(limit=20, window=60, reserve=0.5, pages=35, begins=0, schedules=[[]])
    harness = harness_of(case)

    def silence(answered: int) -> None:
        if answered == 3:
            harness.simulator.faults.append(parse_fault("no-headers"))

    harness.meanwhile(silence)
    await harness.exporter.refresh_once()
    windows = harness.simulator.window(harness.organization).windows()
    assert [each[API_KEY].accepted for each in windows.values()] == [10, 10, 10, 5]


async def test_several_filters_draw_on_one_budget() -> None:
    case = Case(limit=10, window=60, reserve=0.5, pages=60, begins=0, schedules=[[]])
    harness = harness_of(case)
    owners = {key.owner.id for key in harness.organization.keys.values() if key.owner}
    harness.configured(f"    filters: {{owners: [{', '.join(sorted(owners))}]}}\n")
    await harness.exporter.refresh_once()
    assert harness.value("confluent_cloud_organization_api_keys") == sum(
        key.owner is not None for key in harness.organization.keys.values()
    )
    windows = harness.simulator.window(harness.organization).windows()
    spent = [each[API_KEY].accepted for each in windows.values()]
    assert max(spent) == 5
    assert sum(spent) == len(harness.simulator.requests) >= len(owners)
