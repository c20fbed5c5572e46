from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.confluent.headers import IAM, retry_after
from exporter.confluent.throttle import MAX_WAIT, RateLimitStatus, Throttle, backoff
from exporter.simulator import SimulatedRateLimit, parse_fault
from tests.harness import API_KEYS, Harness

PATH = "/p"


def throttle(reserve: float = 0.5) -> Throttle:
    return Throttle(reserve=reserve, reset_header=IAM.reset, random=Random(0))


def wait(held: Throttle, *, now: float) -> float:
    hold = held.hold([PATH], now=now)
    return hold.seconds if hold else 0.0


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, RateLimitStatus()),
        (
            {"x-ratelimit-limit": "100", "x-ratelimit-remaining": "7", "x-ratelimit-reset": "12"},
            RateLimitStatus(100, 7, 12),
        ),
        ({"x-ratelimit-remaining": "0"}, RateLimitStatus(None, 0, None)),
        (
            {
                "x-ratelimit-limit": "many",
                "x-ratelimit-remaining": "few",
                "x-ratelimit-reset": "inf",
            },
            RateLimitStatus(),
        ),
        ({"x-ratelimit-reset": "1e999"}, RateLimitStatus()),
        ({"x-ratelimit-reset": "nan"}, RateLimitStatus()),
        ({"x-ratelimit-reset": "1764000000"}, RateLimitStatus(reset=1764000000)),
        ({"x-ratelimit-limit": "1" * 400}, RateLimitStatus()),
        ({"x-ratelimit-limit": "\u0661\u0662"}, RateLimitStatus()),
        (
            {
                "x-ratelimit-limit": "20, 20;w=30, 500;w=3600",
                "x-ratelimit-remaining": "19;w=30, 7;w=3600",
                "x-ratelimit-reset": "12, 3000",
            },
            RateLimitStatus(20, 7, 3000),
        ),
        ({"x-ratelimit-limit": "many, 20", "x-ratelimit-remaining": "-1"}, RateLimitStatus(20, 0)),
        ({"x-ratelimit-limit": ",;,", "x-ratelimit-reset": "-3"}, RateLimitStatus(reset=0)),
    ],
)
def test_readable_rate_limit_headers_are_parsed(
    headers: dict[str, str], expected: RateLimitStatus
) -> None:
    assert IAM.rate_limit(httpx.Headers(headers, encoding="utf-8")) == expected


WALL = 1_790_000_000.0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("7", 7),
        ("0", 0),
        ("-3", 0),
        ("soon", None),
        ("nan", None),
        ("999999999", 999999999),
        (
            format_datetime(datetime.fromtimestamp(WALL, UTC) + timedelta(seconds=30), usegmt=True),
            30,
        ),
        (format_datetime(datetime.fromtimestamp(WALL, UTC) - timedelta(days=1), usegmt=True), 0),
        ("Thu, 99 Foo 2026", None),
        ("5, 9", 9),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(value: str, expected: float | None) -> None:
    assert retry_after(httpx.Headers({"Retry-After": value}), wall=WALL) == expected


def test_without_headers_requests_do_not_wait() -> None:
    assert wait(throttle(), now=0) == 0


@pytest.mark.parametrize(("remaining", "waits"), [(51, False), (50, True), (49, True), (0, True)])
def test_at_the_reserve_requests_wait_for_the_reset(remaining: int, *, waits: bool) -> None:
    held = throttle(0.5)
    held.record_answer(PATH, RateLimitStatus(100, remaining, 20), now=1000)
    seconds = wait(held, now=1000)
    # The header is whole seconds, rounded: the window may end a second later; then the jitter.
    assert (21 <= seconds <= 22) if waits else seconds == 0
    assert wait(held, now=1021) == 0


def test_a_spent_window_without_a_reset_lasts_a_minute() -> None:
    held = throttle(0.5)
    held.record_answer(PATH, RateLimitStatus(100, 10, None), now=0)
    assert 61 <= wait(held, now=0) <= 62


def test_the_limit_is_kept_when_an_answer_lacks_it() -> None:
    held = throttle(0.5)
    held.record_answer(PATH, RateLimitStatus(100, 90, 20), now=0)
    held.record_answer(PATH, RateLimitStatus(None, 40, 20), now=0)
    assert wait(held, now=0) > 20


def test_a_request_in_flight_counts_as_spent() -> None:
    held = throttle(0.5)
    held.record_answer(PATH, RateLimitStatus(100, 51, 20), now=0)
    held.record_request(now=0)
    assert wait(held, now=0) > 20


def test_without_a_reserve_the_last_request_may_be_sent() -> None:
    held = throttle(0)
    held.record_answer(PATH, RateLimitStatus(100, 1, 20), now=0)
    assert wait(held, now=0) == 0
    held.record_answer(PATH, RateLimitStatus(100, 0, 20), now=0)
    assert wait(held, now=0) > 20


def test_a_spent_window_of_one_endpoint_delays_every_request() -> None:
    held = throttle(0.5)
    held.record_answer("/a", RateLimitStatus(100, 10, 20), now=0)
    held.record_answer("/b", RateLimitStatus(100, 90, 20), now=0)
    assert wait(held, now=0) > 20


_HEADER = st.one_of(st.none(), st.text(), st.integers().map(str), st.floats().map(str))


@given(
    limit=_HEADER,
    remaining=_HEADER,
    reset=_HEADER,
    after=_HEADER,
    reserve=st.floats(0, 0.99),
    now=st.floats(0, 1e9),
)
def test_no_header_causes_a_negative_infinite_or_undefined_wait(
    *,
    limit: str | None,
    remaining: str | None,
    reset: str | None,
    after: str | None,
    reserve: float,
    now: float,
) -> None:
    names = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "retry-after")
    given_ones = zip(names, (limit, remaining, reset, after), strict=True)
    headers = httpx.Headers(
        {name: value for name, value in given_ones if value is not None}, encoding="utf-8"
    )
    held = throttle(reserve)
    held.record_answer(PATH, IAM.rate_limit(headers), now=now)
    held.hold_all(PATH, retry_after(headers, wall=0) or 0, now=now)
    seconds = wait(held, now=now)
    assert math.isfinite(seconds)
    assert 0 <= seconds <= MAX_WAIT + 2  # a second of rounding, one of jitter


@given(st.integers(0, 1000))
def test_backoff_stays_between_0_and_30_seconds(attempt: int) -> None:
    assert 0 <= backoff(attempt, random=Random(attempt)) <= 30


async def test_a_429_waits_for_its_retry_after() -> None:
    harness = Harness(5)
    harness.simulator.script(1, "429:17s")
    await harness.exporter.refresh_once()
    first, second = (request.time for request in harness.simulator.requests)
    assert 17 <= second - first <= 19
    assert harness.value("confluent_cloud_organization_api_keys") == 5
    throttled = harness.values("confluent_cloud_api_throttled_seconds_total", "reason")
    assert throttled == {"retry_after": pytest.approx(second - first)}
    assert harness.values("confluent_cloud_api_requests_total", "code") == {"200": 1, "429": 1}


@pytest.mark.parametrize(
    ("status", "headers", "least"),
    [
        (429, {"Retry-After": "2", "X-RateLimit-Reset": "30"}, 31),
        (429, {"Retry-After": "30", "X-RateLimit-Reset": "2"}, 31),
        (429, {}, 1),
        (503, {"Retry-After": "30"}, 31),
    ],
)
async def test_the_longest_wait_in_the_headers_applies(
    status: int, headers: dict[str, str], least: float
) -> None:
    times: list[float] = []

    async def answer(_request: httpx.Request) -> httpx.Response:
        times.append(harness.clock.monotonic())
        if len(times) == 1:
            return httpx.Response(status, headers=headers)
        return httpx.Response(200, stream=httpx.ByteStream(b'{"data": [], "metadata": {}}'))

    harness = Harness(0)
    harness.wire = httpx.MockTransport(answer)
    harness.configured()
    await harness.exporter.refresh_once()
    assert least <= times[1] - times[0] <= least + 2


async def test_a_429_that_does_not_fit_the_deadline_ends_the_refresh_and_delays_the_next() -> None:
    harness = Harness(5, settings="refresh_interval: 1m, stale_after: 1h")
    harness.simulator.script(1, "429:600s")
    began = harness.clock.monotonic()
    await harness.exporter.refresh_once()
    assert harness.clock.monotonic() == began
    assert harness.values("confluent_cloud_exporter_refresh_failures_total", "reason") == {
        "rate_limited": 1
    }
    next_start = harness.state.refreshes["api_keys"].next_start
    assert next_start is not None
    assert 600 <= next_start - harness.clock.wall() <= 603


async def test_the_reserve_of_a_window_is_left_to_others() -> None:
    harness = Harness(
        90,
        settings="page_size: 5, refresh_timeout: 10m, refresh_interval: 10m",
        rate_limit=SimulatedRateLimit(10, 60),
    )
    await harness.exporter.refresh_once()
    assert harness.value("confluent_cloud_organization_api_keys") == 90
    windows = harness.simulator.window(harness.organization).windows()
    ours = {number: sum(t.accepted for t in each.values()) for number, each in windows.items()}
    assert ours == {0: 5, 1: 5, 2: 5, 3: 3}
    throttled = harness.values("confluent_cloud_api_throttled_seconds_total", "reason")
    assert list(throttled) == ["reserve"]
    assert 180 <= throttled["reserve"] <= 186


async def test_the_latest_rate_limit_is_exposed() -> None:
    harness = Harness(15, settings="page_size: 10", rate_limit=SimulatedRateLimit(100, 60))
    await harness.exporter.refresh_once()
    said = {
        name: harness.value(f"confluent_cloud_api_rate_limit_{name}", endpoint=API_KEYS)
        for name in ("limit", "remaining", "reset_seconds", "observed_timestamp_seconds")
    }
    assert said == {
        "limit": 100,
        "remaining": 98,
        "reset_seconds": 60,
        "observed_timestamp_seconds": harness.clock.wall(),
    }


@pytest.mark.parametrize("fault", ["no-headers", "garbled-headers"])
async def test_absent_and_garbled_headers_are_harmless(fault: str) -> None:
    harness = Harness(
        25,
        settings="page_size: 5",
        faults=[parse_fault(fault)],
        rate_limit=SimulatedRateLimit(100, 60),
    )
    await harness.exporter.refresh_once()
    assert harness.value("confluent_cloud_organization_api_keys") == 25
    assert harness.value("confluent_cloud_api_rate_limit_limit", endpoint=API_KEYS) is None
