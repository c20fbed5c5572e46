from __future__ import annotations

import pytest

from exporter.simulator import (
    Account,
    RateWindow,
    SimulatedOrganization,
    SimulatedRateLimit,
    Simulator,
    parse_rate_limit,
)
from exporter.simulator.rate_limit import Tally
from tests.simulator.helpers import SECRET, ask, client_of, simulator_of, some_keys
from tests.virtual_time import FakeClock


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("120/60s", SimulatedRateLimit(120, 60)),
        ("10/1.5s", SimulatedRateLimit(10, 1.5)),
        ("1/2m", SimulatedRateLimit(1, 120)),
        ("5/250ms", SimulatedRateLimit(5, 0.25)),
    ],
)
def test_a_rate_limit_is_parsed(text: str, limit: SimulatedRateLimit) -> None:
    assert parse_rate_limit(text) == limit


@pytest.mark.parametrize("text", ["", "120", "120/60", "0/60s", "-1/60s", "1/0s", "a/1s", "1/1d"])
def test_the_error_of_an_invalid_rate_limit_shows_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="such as 120/60s"):
        parse_rate_limit(text)


@pytest.mark.parametrize(("limit", "seconds"), [(0, 60), (1, 0), (1, float("inf"))])
def test_a_rate_limit_allows_at_least_one_request(limit: int, seconds: float) -> None:
    with pytest.raises(ValueError, match="at least 1 request"):
        SimulatedRateLimit(limit, seconds)


async def test_headers_count_down_with_whole_seconds_until_the_reset() -> None:
    simulator = simulator_of(
        SimulatedOrganization(some_keys(1)), rate_limit=SimulatedRateLimit(2, 60)
    )
    clock = simulator._clock
    await clock.sleep(10.5)

    first = await ask(simulator)
    await clock.sleep(9.5)
    second = await ask(simulator)
    third = await ask(simulator)
    await clock.sleep(40)
    fourth = await ask(simulator)

    headers = [
        [r.headers.get(f"X-RateLimit-{name}") for name in ("Limit", "Remaining", "Reset")]
        for r in (first, second, third, fourth)
    ]
    assert [r.status_code for r in (first, second, third, fourth)] == [200, 200, 429, 200]
    assert headers == [["2", "1", "50"], ["2", "0", "40"], ["2", "0", "40"], ["2", "1", "60"]]
    assert third.headers["Retry-After"] == "40"
    assert third.content == b""
    assert "Retry-After" not in second.headers


async def test_without_a_limit_there_are_no_headers() -> None:
    response = await ask(simulator_of(SimulatedOrganization(some_keys(1))))

    assert not [name for name in response.headers if name.startswith("x-ratelimit")]


async def test_the_credentials_of_an_organization_share_a_window() -> None:
    clock = FakeClock()
    shared, other = SimulatedOrganization(seed=1), SimulatedOrganization(seed=2)
    simulator = Simulator(
        [
            Account("ONE", SECRET, shared),
            Account("TWO", SECRET, shared),
            Account("OTHER", SECRET, other),
        ],
        clock=clock,
        rate_limit=SimulatedRateLimit(1, 60),
    )
    statuses = []
    for api_key in ("ONE", "TWO", "OTHER"):
        async with client_of(simulator, api_key) as client:
            statuses.append((await client.get("/iam/v2/api-keys")).status_code)

    assert statuses == [200, 429, 200]
    assert simulator.window(shared).windows() == {0: {"ONE": Tally(1, 0), "TWO": Tally(0, 1)}}
    assert simulator.window(other).windows() == {0: {"OTHER": Tally(1, 0)}}


async def test_other_clients_share_the_window() -> None:
    organization = SimulatedOrganization(some_keys(1))
    simulator = simulator_of(organization, rate_limit=SimulatedRateLimit(10, 60))
    window = simulator.window(organization)

    assert window.spend(8) == 0
    assert (await ask(simulator)).headers["X-RateLimit-Remaining"] == "1"
    assert window.spend(3) == 2
    assert (await ask(simulator)).status_code == 429
    await simulator._clock.sleep(60)
    assert window.spend(4, client="terraform") == 0

    assert window.windows() == {
        0: {"others": Tally(9, 2), "CLOUDKEY": Tally(1, 1)},
        1: {"terraform": Tally(4, 0)},
    }
    assert window.tally("others") == Tally(9, 2)
    assert window.tally("nobody") == Tally(0, 0)


async def test_unauthorized_requests_are_not_counted() -> None:
    organization = SimulatedOrganization(some_keys(1))
    simulator = simulator_of(organization, rate_limit=SimulatedRateLimit(1, 60))
    async with client_of(simulator, secret="wrong") as client:
        response = await client.get("/iam/v2/api-keys")

    assert "X-RateLimit-Limit" not in response.headers
    assert simulator.window(organization).windows() == {}


async def test_an_error_is_counted_and_has_no_rate_limit_headers() -> None:
    organization = SimulatedOrganization(some_keys(1))
    simulator = simulator_of(organization, rate_limit=SimulatedRateLimit(5, 60))

    response = await ask(simulator, page_size="0")

    assert response.status_code == 400
    assert "X-RateLimit-Limit" not in response.headers
    assert simulator.window(organization).tally("CLOUDKEY") == Tally(1, 0)


async def test_requests_are_counted_without_a_limit() -> None:
    window = RateWindow(None, clock=FakeClock())

    assert window.spend(1000) == 0
    assert window.take("us") is None
    assert window.tally("others") == Tally(1000, 0)


async def test_only_the_latest_1000_windows_are_kept() -> None:
    clock = FakeClock()
    window = RateWindow(SimulatedRateLimit(1, 1), clock=clock)
    for _ in range(1001):
        window.spend(1)
        await clock.sleep(1)

    assert list(window.windows()) == list(range(1, 1001))
