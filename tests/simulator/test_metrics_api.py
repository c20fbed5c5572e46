from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from exporter.simulator import (
    METRICS_DESCRIPTORS_PATH,
    METRICS_QUERY_PATH,
    Account,
    SimulatedOrganization,
    SimulatedRateLimit,
    SimulatedUsage,
    Simulator,
    Workload,
)
from exporter.simulator.rate_limit import Tally
from tests.simulator.helpers import SECRET, ask, client_of
from tests.simulator.metrics import NOON, brief, post, query_body, rows
from tests.simulator.tokens import Keyless
from tests.virtual_time import FakeClock

if TYPE_CHECKING:
    import httpx

HOUR = 3600


def usage(owners: int = 4) -> SimulatedUsage:
    """Return one request of each owner at 9:00 to the same cluster."""
    return SimulatedUsage(
        Workload(f"sa-{n}", "lkc-1", NOON - 3 * HOUR, until=NOON - 3 * HOUR + 1)
        for n in range(owners)
    )


def simulator_at_noon(**settings: Any) -> Simulator:
    accounts = [
        Account("CLOUDKEY", SECRET, SimulatedOrganization(seed=1, usage=usage())),
        Account("OTHER", SECRET, SimulatedOrganization(seed=2, usage=usage(1))),
    ]
    return Simulator(accounts, clock=FakeClock(wall=NOON), **settings)


def limits(address: int, organization: int) -> tuple[SimulatedRateLimit, SimulatedRateLimit]:
    return SimulatedRateLimit(address, 60), SimulatedRateLimit(organization, 30)


def rate_limit_headers(response: httpx.Response) -> list[list[str]]:
    return [
        response.headers.get_list(f"rateLimit-{name}") for name in ("limit", "remaining", "reset")
    ]


def principals(response: httpx.Response) -> list[str]:
    return [row["metric.principal_id"] for row in response.json()["data"]]


async def test_an_organization_sees_only_its_own_usage() -> None:
    simulator = simulator_at_noon()

    assert principals(await post(simulator, query_body())) == ["sa-0", "sa-1", "sa-2", "sa-3"]
    assert principals(await post(simulator, query_body(), api_key="OTHER")) == ["sa-0"]


async def test_invalid_credentials_are_a_401() -> None:
    response = await post(simulator_at_noon(), query_body(), api_key="NOBODY")

    assert response.status_code == 401
    assert response.json()["errors"][0]["detail"] == "Unauthorized"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", METRICS_QUERY_PATH, "POST"), ("POST", METRICS_DESCRIPTORS_PATH, "GET")],
)
async def test_each_endpoint_has_one_method(method: str, path: str, allowed: str) -> None:
    async with client_of(simulator_at_noon()) as client:
        response = await client.request(method, path)

    assert (response.status_code, response.headers["Allow"]) == (405, allowed)


async def test_a_query_is_json() -> None:
    async with client_of(simulator_at_noon()) as client:
        response = await client.post(METRICS_QUERY_PATH, data={"granularity": "PT1H"})

    assert response.status_code == 415
    assert response.json()["errors"][0]["detail"] == "The Content-Type is not application/json."


async def test_a_query_is_limited_in_size() -> None:
    response = await post(simulator_at_noon(), query_body(filter="x" * 70_000))

    assert response.status_code == 413
    assert response.json()["errors"][0]["detail"] == "The query is larger than 65536 bytes."


async def test_descriptors_tell_which_metrics_know_principals() -> None:
    response = await ask(simulator_at_noon(), METRICS_DESCRIPTORS_PATH)

    labels = {
        item["name"].rpartition("/")[2]: [label["key"] for label in item["labels"]]
        for item in response.json()["data"]
    }
    assert labels == {
        "active_connection_count": ["principal_id"],
        "received_bytes": ["topic"],
        "request_bytes": ["principal_id"],
        "request_count": ["principal_id"],
        "response_bytes": ["principal_id"],
        "successful_authentication_count": ["principal_id"],
    }


async def test_descriptors_are_paged() -> None:
    simulator = simulator_at_noon()

    first = (await ask(simulator, METRICS_DESCRIPTORS_PATH, page_size="4")).json()
    token = first["meta"]["pagination"]["next_page_token"]
    last = (await ask(simulator, METRICS_DESCRIPTORS_PATH, page_size="4", page_token=token)).json()

    assert (len(first["data"]), len(last["data"])) == (4, 2)
    assert last["meta"] == {"pagination": {"page_size": 4}}


@pytest.mark.parametrize(
    "query", [{"page_size": "0"}, {"page_size": "1001"}, {"page_token": "x"}, {"color": "blue"}]
)
async def test_invalid_parameters_of_descriptors_are_a_400(query: dict[str, str]) -> None:
    response = await ask(simulator_at_noon(), METRICS_DESCRIPTORS_PATH, **query)

    assert response.status_code == 400


async def test_descriptors_need_the_role() -> None:
    account = Account("CLOUDKEY", SECRET, SimulatedOrganization(), metrics_viewer=False)
    simulator = Simulator([account], clock=FakeClock())

    assert (await ask(simulator, METRICS_DESCRIPTORS_PATH)).status_code == 403


async def test_each_scope_of_the_rate_limit_has_its_own_headers() -> None:
    simulator = simulator_at_noon(metrics_limits=limits(10, 2))
    await post(simulator, query_body(), api_key="OTHER")
    await simulator._clock.sleep(12)

    response = await post(simulator, query_body())

    assert rate_limit_headers(response) == [["10", "2"], ["8", "1"], ["48", "18"]]
    assert "X-RateLimit-Limit" not in response.headers


@pytest.mark.parametrize(
    ("address", "organization", "remaining"),
    [(2, 10, ["0", "7"]), (10, 2, ["7", "0"])],
)
async def test_either_scope_refuses_a_request(
    address: int, organization: int, remaining: list[str]
) -> None:
    simulator = simulator_at_noon(metrics_limits=limits(address, organization))

    accepted = [(await post(simulator, query_body())).status_code for _ in range(2)]
    refused = await post(simulator, query_body())

    assert (accepted, refused.status_code) == ([200, 200], 429)
    assert refused.json()["errors"][0]["detail"].startswith(
        "Too many requests have been made for the following resources: kafka.id:lkc-"
    )
    assert rate_limit_headers(refused)[1] == remaining
    assert "Retry-After" not in refused.headers


async def test_the_limit_is_300_requests_in_a_minute_by_default() -> None:
    response = await post(simulator_at_noon(), query_body())

    assert rate_limit_headers(response) == [["300", "300"], ["299", "299"], ["60", "60"]]


async def test_queries_do_not_count_against_the_limit_of_the_listings() -> None:
    simulator = simulator_at_noon(rate_limit=SimulatedRateLimit(1, 60))
    statuses = [(await post(simulator, query_body())).status_code for _ in range(3)]

    listing = await ask(simulator)

    assert (statuses, listing.status_code) == ([200, 200, 200], 200)
    organization = simulator._accounts._by_api_key["CLOUDKEY"].organization
    windows = simulator.metrics_windows(organization)
    assert [window.tally("CLOUDKEY") for window in windows] == [Tally(3, 0), Tally(3, 0)]


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        ("500", 500, "could not be completed"),
        ("403", 403, "Forbidden Access"),
        ("forbidden-key", 403, '{"error":{"code":403,"message":"invalid API key"}}'),
        ("429", 429, "Too many requests"),
        ("html502", 502, "Bad Gateway"),
        ("array", 200, "[]"),
        ("empty", 200, '{"data":[],"meta":{"pagination":{"page_size":1000}}}'),
    ],
)
async def test_a_fault_replaces_an_answer(fault: str, status: int, body: str) -> None:
    simulator = simulator_at_noon()
    simulator.script(1, f"{fault}@{METRICS_QUERY_PATH}")

    response = await post(simulator, query_body())

    assert response.status_code == status
    assert body in response.text
    assert (await post(simulator, query_body())).status_code == 200


async def test_faults_of_the_listings_affect_answers() -> None:
    simulator = simulator_at_noon()
    simulator.script(1, "truncated")
    simulator.script(2, "no-headers")
    simulator.script(3, "garbled-headers")
    simulator.script(4, "429:7s")

    truncated, bare, garbled, refused = [await post(simulator, query_body()) for _ in range(4)]

    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        truncated.json()
    assert rate_limit_headers(bare) == [[], [], []]
    assert rate_limit_headers(garbled) == [["many"] * 2, ["few"] * 2, ["1e999"] * 2]
    assert "X-RateLimit-Limit" not in garbled.headers
    assert refused.headers["Retry-After"] == "7"


async def test_an_answer_can_be_cut_without_a_next_page() -> None:
    simulator = simulator_at_noon()
    simulator.script(1, "cut")

    response = await post(simulator, query_body(limit=2))

    assert principals(response) == ["sa-0"]
    assert response.json()["meta"] == {"pagination": {"page_size": 2}}


async def test_a_page_can_have_fewer_groups_than_asked_for() -> None:
    simulator = simulator_at_noon()
    simulator.script(1, "fewer-groups")
    body = query_body(limit=4)

    first = await post(simulator, body)
    token = first.json()["meta"]["pagination"]["next_page_token"]
    second = await post(simulator, body, token)

    assert (principals(first), principals(second)) == (["sa-0", "sa-1"], ["sa-2", "sa-3"])


async def test_the_next_page_can_be_the_same_again() -> None:
    simulator = simulator_at_noon()
    body = query_body(limit=2)
    simulator.script(1, "loop")

    first = await post(simulator, body)
    again = await post(simulator, body, first.json()["meta"]["pagination"]["next_page_token"])

    assert principals(first) == principals(again) == ["sa-0", "sa-1"]


async def test_a_page_token_can_expire_early() -> None:
    simulator = simulator_at_noon()
    body = query_body(limit=2)
    token = (await post(simulator, body)).json()["meta"]["pagination"]["next_page_token"]
    simulator.script(2, "expired-token")

    response = await post(simulator, body, token)

    assert (response.status_code, response.json()["errors"][0]["detail"]) == (
        400,
        "page_token has expired.",
    )


async def test_half_of_the_groups_can_be_hidden() -> None:
    simulator = simulator_at_noon()
    simulator.script(1, "shrink")
    simulator.script(2, "shrink")

    hidden = [principals(await post(simulator, query_body())) for _ in range(2)]

    assert hidden[0] == hidden[1]
    assert 0 < len(hidden[0]) < 4


@pytest.mark.parametrize(("fault", "hours"), [("late:2h", 2), ("late", 1), ("late:30m", 0.5)])
async def test_data_can_be_late(fault: str, hours: float) -> None:
    simulator = simulator_at_noon()
    truth = simulator._accounts._by_api_key["CLOUDKEY"].organization.usage
    visible = NOON - 180 - hours * HOUR
    truth.add(Workload("sa-8", "lkc-1", visible - 1, until=visible))
    truth.add(Workload("sa-9", "lkc-1", visible, until=visible + 1))
    simulator.script(1, fault)

    late = principals(await post(simulator, query_body()))

    assert late == ["sa-0", "sa-1", "sa-2", "sa-3", "sa-8"]
    assert principals(await post(simulator, query_body()))[-1] == "sa-9"


@pytest.mark.parametrize(
    ("fault", "value"), [("nan", '"NaN"'), ("nan:literal", "NaN"), ("nan:zero", "0.0")]
)
async def test_buckets_without_requests_can_have_rows(fault: str, value: str) -> None:
    simulator = simulator_at_noon()
    simulator.script(1, fault)

    response = await post(simulator, query_body(limit=1))

    assert response.text.startswith(
        '{"data":[{"timestamp":"2024-01-01T09:00:00Z","value":1.0,"resource.kafka.id":"lkc-1",'
        '"metric.principal_id":"sa-0"},'
        f'{{"timestamp":"2024-01-01T10:00:00Z","value":{value},"resource.kafka.id":"lkc-1",'
    )


async def test_rows_can_have_unknown_labels() -> None:
    simulator = simulator_at_noon()
    simulator.script(1, "extra-labels")

    found = await rows(simulator, limit=1000)

    assert brief(found)[0] == ("lkc-1", "sa-0", "09:00", 1)
    assert found[0]["metric.future"] == "<b>new</b>"
    assert found[0]["resource.kafka.zone"] is None


async def test_a_bearer_token_of_a_pool_is_accepted_until_it_is_revoked() -> None:
    keyless = Keyless()
    keyless.clock.jump(NOON - keyless.clock.wall())
    keyless.organization.usage = usage(1)
    headers = {"Authorization": f"Bearer {await keyless.bearer_token()}"}

    async with keyless.client() as client:
        accepted = await client.post(METRICS_QUERY_PATH, json=query_body(), headers=headers)
        keyless.simulator.revoke_tokens("pool-1")
        refused = await client.post(METRICS_QUERY_PATH, json=query_body(), headers=headers)

    assert principals(accepted) == ["sa-0"]
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
