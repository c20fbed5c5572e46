"""Rate-limit headers as gateways and skewed clocks send them, through the whole exporter."""

from __future__ import annotations

from email.utils import formatdate
from itertools import pairwise
from typing import TYPE_CHECKING

import httpx
import pytest
from structlog.testing import capture_logs

from exporter.simulator import SERVICE_ACCOUNTS_PATH, SimulatedRateLimit, parse_fault
from tests.harness import API_KEYS, Harness

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Headers = list[tuple[str, str]]
TOTAL = "confluent_cloud_organization_api_keys"
EPOCH_RESET = [
    ("X-RateLimit-Limit", "100"),
    ("X-RateLimit-Remaining", "0"),
    ("X-RateLimit-Reset", "1790000060"),
]


def behind_a_gateway(harness: Harness, change: Callable[[Headers], Headers]) -> Harness:
    inner = harness.wire

    async def answer(request: httpx.Request) -> httpx.Response:
        response = await inner.handle_async_request(request)
        body = await response.aread()
        headers = change(list(response.headers.multi_items()))
        return httpx.Response(response.status_code, headers=headers, stream=httpx.ByteStream(body))

    harness.wire = httpx.MockTransport(answer)
    return harness.configured()


def answering(
    harness: Harness, answers: Sequence[tuple[int, Headers]], *, path: str = API_KEYS
) -> list[float]:
    """Let the first requests to ``path`` get ``answers``; return the times of all of them."""
    inner, times = harness.wire, list[float]()

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path != path:
            return await inner.handle_async_request(request)
        times.append(harness.clock.monotonic())
        status, headers = answers[len(times) - 1] if len(times) <= len(answers) else (200, [])
        body = httpx.ByteStream(b'{"data": [], "metadata": {}}')
        return httpx.Response(status, headers=headers, stream=body)

    harness.wire = httpx.MockTransport(answer)
    harness.configured()
    return times


OTHER: dict[str, Callable[[str], str]] = {
    "x-ratelimit-limit": lambda _: "100",
    "x-ratelimit-remaining": lambda value: str(int(value) + 90),
    "x-ratelimit-reset": lambda _: "0",
}
"""A second limit, which never applies."""


def as_a_list(headers: Headers) -> Headers:
    return [
        (name, f"{value}, {OTHER[name](value)};w=3600" if name in OTHER else value)
        for name, value in headers
    ]


def twice(headers: Headers) -> Headers:
    return headers + [(name, OTHER[name](value)) for name, value in headers if name in OTHER]


@pytest.mark.parametrize("change", [as_a_list, twice])
async def test_the_reserve_applies_to_headers_that_are_lists_or_repeated(
    change: Callable[[Headers], Headers],
) -> None:
    harness = Harness(
        90,
        settings="page_size: 5, refresh_timeout: 10m, refresh_interval: 10m",
        rate_limit=SimulatedRateLimit(10, 60),
    )
    with capture_logs() as logs:
        await behind_a_gateway(harness, change).exporter.refresh_once()
    assert harness.value(TOTAL) == 90
    windows = harness.simulator.window(harness.organization).windows()
    assert [sum(t.accepted for t in each.values()) for each in windows.values()] == [5, 5, 5, 3]
    assert harness.value("confluent_cloud_api_rate_limit_limit", endpoint=API_KEYS) == 10
    assert [entry for entry in logs if entry["log_level"] == "warning"] == []


async def test_a_negative_remainder_counts_as_0() -> None:
    settings = "refresh_interval: 10s, refresh_timeout: 1m, rate_limit: {reserve: 0}"
    harness = Harness(0, settings=settings)
    spent = [("X-RateLimit-Remaining", "-1"), ("X-RateLimit-Reset", "30")]
    times = answering(harness, [(200, spent)])
    async with harness.exporter.running():
        await harness.clock.sleep(40)
    assert 31 <= times[1] - times[0] <= 32
    assert harness.value("confluent_cloud_api_rate_limit_remaining", endpoint=API_KEYS) == 0


async def test_unreadable_headers_are_logged_once_for_each_organization() -> None:
    harness = Harness(
        25,
        settings="page_size: 5",
        names=("acme", "globex"),
        faults=[parse_fault("garbled-headers")],
        rate_limit=SimulatedRateLimit(100, 60),
    )
    with capture_logs() as logs:
        await harness.exporter.refresh_once()
        await harness.exporter.refresh_once()
    warnings = [
        (entry["header"], entry["value"]) for entry in logs if entry["log_level"] == "warning"
    ]
    each_once = [
        ("X-RateLimit-Limit", "many"),
        ("X-RateLimit-Remaining", "few"),
        ("X-RateLimit-Reset", "1e999"),
    ]
    assert sorted(warnings) == sorted(each_once * 2)


async def test_an_unreadable_retry_after_is_logged_once() -> None:
    harness = Harness(0)
    answering(harness, [(503, [("Retry-After", "soon")])] * 3)
    with capture_logs() as logs:
        await harness.exporter.refresh_once()
    (warning,) = [entry for entry in logs if entry["log_level"] == "warning"]
    assert (warning["header"], warning["value"]) == ("Retry-After", "soon")


@pytest.mark.parametrize("skew", [-86_400, 0, 600])
@pytest.mark.parametrize("status", [429, 503])
async def test_a_date_in_retry_after_is_compared_with_the_date_of_the_answer(
    status: int, skew: float
) -> None:
    harness = Harness(0)
    now = harness.clock._wall + skew
    retry = [("Retry-After", formatdate(now + 2, usegmt=True))]
    times = answering(harness, [(status, [*retry, ("Date", formatdate(now, usegmt=True))])])
    await harness.exporter.refresh_once()
    assert 3 <= times[1] - times[0] <= 4  # a second of rounding, up to one of jitter


async def test_a_date_in_retry_after_is_compared_with_the_wall_clock_without_a_date() -> None:
    harness = Harness(0)
    retry = [("Retry-After", formatdate(harness.clock._wall + 20, usegmt=True))]
    times = answering(harness, [(429, retry)])
    await harness.exporter.refresh_once()
    assert 21 <= times[1] - times[0] <= 22


async def test_a_unix_time_as_reset_delays_requests_for_a_minute() -> None:
    harness = Harness(0, settings="refresh_interval: 10s, refresh_timeout: 5m")
    times = answering(harness, [(200, EPOCH_RESET)])
    with capture_logs() as logs:
        async with harness.exporter.running():
            await harness.clock.sleep(70)
    assert 61 <= times[1] - times[0] <= 62
    (warning,) = [entry for entry in logs if entry["log_level"] == "warning"]
    assert (warning["header"], warning["value"]) == ("X-RateLimit-Reset", "1790000060")


async def test_a_unix_time_as_reset_of_a_429_does_not_delay_requests_for_an_hour() -> None:
    harness = Harness(0)
    times = answering(harness, [(429, EPOCH_RESET)])
    await harness.exporter.refresh_once()
    assert times[1] - times[0] <= 62


async def test_a_refresh_that_a_header_stops_names_that_header() -> None:
    harness = Harness(0, settings="refresh_interval: 30s")
    answering(harness, [(200, EPOCH_RESET)])
    await harness.exporter.refresh_once()
    await harness.exporter.refresh_once()
    failure = harness.state.refreshes["api_keys"].failure
    assert failure is not None
    assert "X-RateLimit-Reset allows no request before the `refresh_timeout` of 30 s is over" in (
        failure.message
    )


async def test_waits_double_while_the_window_is_spent_and_its_reset_implausible() -> None:
    harness = Harness(0, settings="refresh_interval: 10s, refresh_timeout: 2h")
    times = answering(harness, [(200, EPOCH_RESET)] * 100)
    async with harness.exporter.running():
        await harness.clock.sleep(6 * 3600)
    gaps = [round(after - before, -1) for before, after in pairwise(times)]
    assert gaps[:7] == [60, 120, 240, 480, 960, 1920, 3600]


async def test_the_retry_after_of_a_503_delays_the_next_refresh() -> None:
    harness = Harness(0, settings="refresh_interval: 1m")
    times = answering(harness, [(503, [("Retry-After", "600")])])
    async with harness.exporter.running():
        await harness.clock.sleep(700)
    assert 601 <= times[1] - times[0] <= 603
    assert times[2] - times[1] == 60


async def test_the_retry_after_of_one_endpoint_does_not_delay_another() -> None:
    harness = Harness(5, settings="refresh_interval: 1m, names: {enabled: true}")
    times = answering(harness, [(503, [("Retry-After", "1800")])] * 9, path=SERVICE_ACCOUNTS_PATH)
    async with harness.exporter.running():
        await harness.clock.sleep(300)
        listed = [one for one in harness.simulator.requests if one.path == API_KEYS]
        assert len(listed) == 5
        await harness.clock.sleep(1500)
        assert len(times) == 1
        await harness.clock.sleep(600)
        assert len(times) == 2
