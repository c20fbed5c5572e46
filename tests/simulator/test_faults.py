from __future__ import annotations

import asyncio
import gzip
import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from exporter.simulator import (
    FAULT_GRAMMAR,
    FAULTS,
    ApiOptions,
    Fault,
    SimulatedOrganization,
    SimulatedRateLimit,
    SimulatedUser,
    Simulator,
    parse_fault,
)
from exporter.simulator.responses import Response
from exporter.simulator.transport import InProcessTransport
from tests.simulator.helpers import ask, client_of, ids_of, simulator_of, some_keys

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

PATH = "/iam/v2/api-keys"


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ("429:0.1", Fault("429", 0.1)),
        ("429:5s:0.1", Fault("429", 0.1, seconds=5.0)),
        ("slow", Fault("slow")),
        ("slow:2s:0.1", Fault("slow", 0.1, seconds=2.0)),
        ("slow:250ms", Fault("slow", seconds=0.25)),
        ("slow:0.5", Fault("slow", 0.5)),
        ("redirect:foreign:1", Fault("redirect", foreign=True)),
        ("reset", Fault("reset")),
        ("foreign-next:0", Fault("foreign-next", 0.0)),
        ("403@/iam/v2/users", Fault("403", path="/iam/v2/users")),
        (
            "slow:2s:0.1@/cmk/v2/clusters",
            Fault("slow", 0.1, seconds=2.0, path="/cmk/v2/clusters"),
        ),
    ],
)
def test_a_spec_is_parsed(spec: str, fault: Fault) -> None:
    assert parse_fault(spec) == fault


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("", "there is no fault ''"),
        ("418", "there is no fault '418'"),
        ("429:2", "the probability 2 is not between 0 and 1"),
        ("429:-0.1", "the probability -0.1 is not"),
        ("429:nan", "the probability nan is not"),
        ("reset:2s", "'2s' is neither an argument of reset nor a probability"),
        ("slow:fast", "'fast' is neither"),
        ("slow:2s:often", "'often' is one part too many or not a probability"),
        ("slow:2s:3s:0.1", "'3s' is one part too many"),
        ("500@/iam/v2/pets", "there is no endpoint '/iam/v2/pets', only /iam/v2/api-keys, "),
        ("500@", "there is no endpoint ''"),
        ("418@/iam/v2/users", "there is no fault '418'"),
    ],
)
def test_the_error_of_an_invalid_spec_names_the_problem_and_all_faults(
    spec: str, problem: str
) -> None:
    with pytest.raises(ValueError, match="is not a fault") as refusal:
        parse_fault(spec)

    assert problem in str(refusal.value)
    assert all(name in str(refusal.value) for name in FAULTS)


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_has_a_line_of_help_and_can_be_parsed(name: str) -> None:
    assert parse_fault(name) == Fault(name)
    assert FAULTS[name]
    assert "\n" not in FAULTS[name]


def simulator_with(
    *specs: str, keys: int = 3, limit: SimulatedRateLimit | None = None
) -> Simulator:
    return simulator_of(
        SimulatedOrganization(some_keys(keys)),
        faults=[parse_fault(spec) for spec in specs],
        rate_limit=limit,
    )


@pytest.mark.parametrize(
    ("spec", "status", "text"),
    [
        ("500", 500, "internal_server_error"),
        ("401", 401, "Unauthorized"),
        ("403", 403, "forbidden_access"),
        ("forbidden-key", 403, "invalid API key"),
    ],
)
async def test_an_error_fault_uses_the_error_envelope(spec: str, status: int, text: str) -> None:
    response = await ask(simulator_with(spec))

    assert response.status_code == status
    assert text in response.text
    assert response.json()["errors"][0]["id"] == response.headers["X-Request-Id"]
    assert ("WWW-Authenticate" in response.headers) == (status == 401)


async def test_429_has_rate_limit_headers_with_nothing_remaining() -> None:
    response = await ask(simulator_with("429", limit=SimulatedRateLimit(100, 60)))

    assert response.status_code == 429
    assert response.content == b""
    assert response.headers["X-RateLimit-Limit"] == "100"
    assert response.headers["X-RateLimit-Remaining"] == "0"
    assert response.headers["X-RateLimit-Reset"] == "60"
    assert response.headers["Retry-After"] == "60"


async def test_the_argument_of_429_sets_retry_after() -> None:
    assert (await ask(simulator_with("429:7s"))).headers["Retry-After"] == "7"
    assert (await ask(simulator_with("429"))).headers["Retry-After"] == "1"


async def test_html502_is_not_json() -> None:
    response = await ask(simulator_with("html502"))

    assert response.status_code == 502
    assert response.headers["Content-Type"] == "text/html"
    assert response.text.startswith("<!DOCTYPE html>")


async def test_slow_delays_the_response() -> None:
    simulator = simulator_with("slow:3s")
    clock = simulator._clock
    began = clock.monotonic()

    response = await ask(simulator)

    assert response.status_code == 200
    assert clock.monotonic() - began == 3.0


async def test_a_request_has_no_status_if_the_client_disconnects() -> None:
    simulator = simulator_with("slow:60s")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await ask(simulator)

    assert simulator.requests[0].status is None


async def test_reset_breaks_the_connection_in_the_middle_of_the_body() -> None:
    simulator = simulator_with("reset")
    received = bytearray()

    async def receive(response: httpx.Response) -> None:
        async for chunk in response.aiter_raw():
            received.extend(chunk)

    async with client_of(simulator) as client, client.stream("GET", PATH) as response:
        assert response.status_code == 200
        with pytest.raises(httpx.ReadError):
            await receive(response)

    assert len(received) == int(response.headers["Content-Length"]) // 2
    assert received.startswith(b'{"api_version"')


async def test_an_application_without_a_response_is_a_broken_connection() -> None:
    async def silent(*_: object) -> None: ...

    async with httpx.AsyncClient(transport=InProcessTransport(silent)) as client:
        with pytest.raises(httpx.ReadError, match="before the response"):
            await client.get("https://api.confluent.cloud")


async def test_the_transport_passes_the_body_of_a_request_on() -> None:
    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        assert (scope["method"], message["more_body"]) == ("POST", False)
        await Response(200, message["body"]).send(send)

    async with httpx.AsyncClient(transport=InProcessTransport(echo)) as client:
        response = await client.post("https://api.confluent.cloud", content=b"grant_type=x")

    assert response.content == b"grant_type=x"


async def test_truncated_is_a_complete_response_with_half_of_the_json() -> None:
    response = await ask(simulator_with("truncated"))

    assert response.status_code == 200
    assert int(response.headers["Content-Length"]) == len(response.content)
    with pytest.raises(json.JSONDecodeError):
        response.json()


async def test_loop_repeats_the_token_of_the_page() -> None:
    simulator = simulator_with("loop", keys=5)
    async with client_of(simulator) as client:
        first = (await client.get(PATH, params={"page_size": "2"})).json()
        second = (await client.get(first["metadata"]["next"])).json()
        simulator.faults.clear()
        honest = (await client.get(PATH, params={"page_size": "2"})).json()
        simulator.faults.append(Fault("loop"))
        looping = (await client.get(honest["metadata"]["next"])).json()

    assert first["data"] == second["data"]
    assert first["metadata"]["next"] == second["metadata"]["next"]
    assert ids_of([looping]) == ["K003", "K004"]
    assert looping["metadata"]["next"] == honest["metadata"]["next"]


async def test_foreign_next_is_the_same_path_on_another_host() -> None:
    simulator = simulator_with("foreign-next", keys=11)  # in pages of 10
    link = (await ask(simulator)).json()["metadata"]["next"]

    assert urlsplit(link).hostname == "elsewhere.invalid"
    assert urlsplit(link).path == PATH
    (token,) = parse_qs(urlsplit(link).query)["page_token"]
    last = await ask(simulator, page_token=token)
    assert len(last.json()["data"]) == 1
    assert last.json()["metadata"].get("next") is None


async def test_notoken_is_a_next_link_without_a_token() -> None:
    link = (await ask(simulator_with("notoken"))).json()["metadata"]["next"]

    assert urlsplit(link).path == PATH
    assert "page_token" not in parse_qs(urlsplit(link).query)


async def test_shrink_always_hides_the_same_half_of_the_keys() -> None:
    simulator = simulator_with("shrink", keys=100)
    simulator.options = ApiOptions(total_size=True)

    first, again = [await ask(simulator, page_size="100") for _ in range(2)]

    assert first.status_code == 200
    assert 30 < len(first.json()["data"]) < 70
    assert first.json() == again.json()
    assert first.json()["metadata"]["total_size"] == len(first.json()["data"])


async def test_gzip_error_is_compressed_without_content_encoding() -> None:
    response = await ask(simulator_with("gzip-error"))

    assert response.status_code == 500
    assert "Content-Encoding" not in response.headers
    assert json.loads(gzip.decompress(response.content))["errors"][0]["status"] == "500"


async def test_array_is_a_json_array() -> None:
    response = await ask(simulator_with("array"))

    assert (response.status_code, response.json()) == (200, [])


async def test_redirect_leads_to_the_same_url_or_to_another_host() -> None:
    near = await ask(simulator_with("redirect"), page_size="2")
    far = await ask(simulator_with("redirect:foreign"), page_size="2")

    assert near.status_code == far.status_code == 307
    assert near.headers["Location"] == "https://api.confluent.cloud/iam/v2/api-keys?page_size=2"
    assert far.headers["Location"] == "https://elsewhere.invalid/iam/v2/api-keys?page_size=2"


async def test_no_headers_removes_the_rate_limit_headers() -> None:
    simulator = simulator_with("no-headers", limit=SimulatedRateLimit(10, 60))
    ordinary = await ask(simulator)
    simulator.faults.append(Fault("429"))
    refused = await ask(simulator)

    assert (ordinary.status_code, refused.status_code) == (200, 429)
    for response in (ordinary, refused):
        assert "Retry-After" not in response.headers
        assert not [name for name in response.headers if name.startswith("x-ratelimit")]
        assert "X-Request-Id" in response.headers


async def test_garbled_headers_are_not_numbers() -> None:
    simulator = simulator_with("garbled-headers", "429")

    response = await ask(simulator)

    assert response.headers["X-RateLimit-Limit"] == "many"
    assert response.headers["X-RateLimit-Remaining"] == "few"
    assert response.headers["X-RateLimit-Reset"] == "1e999"
    assert response.headers["Retry-After"] == "soon"


async def test_a_script_applies_faults_to_the_request_with_that_number() -> None:
    simulator = simulator_with()
    simulator.script(2, "500")
    simulator.script(4, Fault("slow", seconds=5), "403")

    statuses = [(await ask(simulator)).status_code for _ in range(5)]

    assert statuses == [200, 500, 200, 403, 200]
    assert simulator._clock.monotonic() == 5.0


async def test_a_fault_can_be_limited_to_an_endpoint() -> None:
    simulator = simulator_with("403@/iam/v2/users", "500:0@/iam/v2/api-keys")
    paths = (PATH, "/iam/v2/users", "/iam/v2/service-accounts", "/iam/v2/users", "/nowhere")

    statuses = [(await ask(simulator, path)).status_code for path in paths]

    assert statuses == [200, 403, 200, 403, 404]


async def test_a_fault_limited_to_an_endpoint_works_with_a_path_prefix() -> None:
    simulator = simulator_with("403@/iam/v2/users")
    simulator.options = ApiOptions(path_prefix="/api")

    assert (await ask(simulator, "/api/iam/v2/users")).status_code == 403
    assert (await ask(simulator, "/api/iam/v2/api-keys")).status_code == 200


async def test_a_script_can_count_the_requests_to_one_endpoint() -> None:
    simulator = simulator_with()
    simulator.script(2, "500", path="/iam/v2/users")
    simulator.script(1, "403@/iam/v2/users")  # request 1 is for another endpoint
    paths = (PATH, "/iam/v2/users", PATH, "/iam/v2/users", "/iam/v2/users")

    statuses = [(await ask(simulator, path)).status_code for path in paths]

    assert statuses == [200, 200, 200, 500, 200]
    assert [request.number_of_path for request in simulator.requests] == [1, 1, 2, 2, 3]
    simulator.script(1, "500", path="/iam/v2/users")
    simulator.reset_requests()
    assert (await ask(simulator, "/iam/v2/users")).status_code == 200
    assert [request.number_of_path for request in simulator.requests] == [1]


async def test_no_number_of_paths_fills_the_memory() -> None:
    simulator = simulator_with()
    await ask(simulator, PATH)
    await ask(simulator, "/kept")
    for number in range(999):
        await ask(simulator, f"/path-{number}")
    await ask(simulator, "/kept")
    assert simulator.requests[-1].number_of_path == 2
    await ask(simulator, PATH)
    assert simulator.requests[-1].number_of_path == 1  # it was requested longest ago


def test_the_examples_of_the_grammar_can_be_parsed() -> None:
    _, *examples = FAULT_GRAMMAR.splitlines()

    assert [parse_fault(example.split()[0]) for example in examples] == [
        Fault("429", 0.1),
        Fault("slow", 0.1, seconds=2.0),
        Fault("403", path="/iam/v2/users"),
    ]


async def test_shrink_hides_half_of_any_list() -> None:
    users = [SimulatedUser(f"u-{n:03}", f"{n}@example.com") for n in range(100)]
    simulator = simulator_of(
        SimulatedOrganization(users), faults=[parse_fault("shrink@/iam/v2/users")]
    )

    first, again = [await ask(simulator, "/iam/v2/users", page_size="100") for _ in range(2)]

    assert 30 < len(first.json()["data"]) < 70
    assert first.json() == again.json()


async def test_the_seed_determines_which_requests_are_affected() -> None:
    async def statuses(spec: str) -> list[int]:
        simulator = simulator_with(spec)
        return [(await ask(simulator)).status_code for _ in range(200)]

    first = await statuses("500:0.25")

    assert first == await statuses("500:0.25")
    assert 30 < first.count(500) < 70
    assert (await statuses("500:0")).count(500) == 0


async def test_faults_do_not_affect_unauthorized_or_rate_limited_requests() -> None:
    simulator = simulator_with("500", limit=SimulatedRateLimit(1, 60))
    async with client_of(simulator, secret="wrong") as client:
        assert (await client.get(PATH)).status_code == 401
    assert (await ask(simulator)).status_code == 500
    assert (await ask(simulator)).status_code == 429
