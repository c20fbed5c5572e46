from __future__ import annotations

import base64
import itertools
import re

import httpx
import pytest

from exporter.simulator import Account, Rules, parse_fault
from exporter.version import __version__
from tests.openapi import request_problems
from tests.shared_material import shared_file
from tests.world import API_KEY, API_KEYS, SECRET, World


def failure_message(world: World) -> str:
    failure = world.state.collectors["api_keys"].failure
    assert failure is not None
    return failure.message


async def test_what_a_request_carries() -> None:
    world = World(5, settings="page_size: 7")
    await world.exporter.refresh_once()
    (request,) = world.sent
    credentials = base64.b64encode(f"{API_KEY}:{SECRET}".encode()).decode()
    assert request.method == "GET"
    assert str(request.url) == "http://127.0.0.1:8089/iam/v2/api-keys?page_size=7"
    assert request.headers["authorization"] == f"Basic {credentials}"
    assert re.fullmatch(
        rf"confluent-api-keys-exporter/{re.escape(__version__)} \(\+https://\S+\)",
        request.headers["user-agent"],
    )
    assert request.headers["accept-encoding"] == "gzip"
    assert "cookie" not in request.headers


async def test_every_request_is_as_the_contract_says() -> None:
    shared_file("openapi/apikeys-v2.yaml")
    world = World(25, settings="page_size: 10, rate_limit: {reserve: 0}")
    await world.exporter.refresh_once()
    assert len(world.sent) == 3
    for request in world.sent:
        query = dict(request.url.params)
        assert len(query) == len(request.url.params.multi_items())  # none is given twice
        assert request_problems(request.method, request.url.path, query) == []


async def test_filters_are_sent_and_a_key_that_two_of_them_match_counts_once() -> None:
    world = World(60)
    owners = sorted({key.owner.id for key in world.organization.keys.values() if key.owner})[:2]
    world = World(60)
    world = with_filters(world, f"owners: [{', '.join(owners)}]")
    await world.exporter.refresh_once()
    expected = [
        key
        for key in world.organization.keys.values()
        if key.owner is not None and key.owner.id in owners
    ]
    assert [request.query.get("spec.owner") for request in world.simulator.requests] == owners
    assert world.value("confluent_cloud_organization_api_keys") == len(expected)


async def test_owner_and_resource_filters_both_hold() -> None:
    world = with_filters(World(300), "resources: [cloud, tableflow]")
    await world.exporter.refresh_once()
    expected = [
        key
        for key in world.organization.keys.values()
        if any(resource.id in {"cloud", "tableflow"} for resource in key.resources)
    ]
    assert expected
    assert world.value("confluent_cloud_organization_api_keys") == len(expected)
    owner = next(key.owner.id for key in expected if key.owner)
    world = with_filters(World(300), f"owners: [{owner}], resources: [cloud, tableflow]")
    await world.exporter.refresh_once()
    assert [dict(request.query) for request in world.simulator.requests] == [
        {"spec.owner": owner, "spec.resource": resource, "page_size": "100"}
        for resource in ("cloud", "tableflow")
    ]
    both = [key for key in expected if key.owner is not None and key.owner.id == owner]
    assert world.value("confluent_cloud_organization_api_keys") == len(both)


def with_filters(world: World, filters: str) -> World:
    return world.configured(f"    filters: {{{filters}}}\n")


@pytest.mark.parametrize(
    ("fault", "reason", "attempts", "says"),
    [
        ("500", "server_error", 5, "500 Internal Server Error: the API is failing"),
        ("html502", "server_error", 5, "502 Bad Gateway: the API is failing"),
        ("gzip-error", "server_error", 5, "The API says: "),
        ("reset", "connection", 5, "no complete answer: the connection broke"),
        ("slow:60s", "timeout", 5, "no complete answer within the `request_timeout` of 10 s"),
        ("truncated", "invalid_response", 1, "the body is not JSON"),
        ("array", "invalid_response", 1, "the body is not a page of a listing"),
        ("redirect:foreign", "invalid_response", 1, "a redirect to another origin"),
        ("401", "unauthorized", 1, "401 Unauthorized: the API key or its secret is not accepted"),
        (
            "403",
            "forbidden",
            1,
            "403 Forbidden: the API key is known, but its owner lacks the role",
        ),
        (
            "forbidden-key",
            "unauthorized",
            1,
            "403 Forbidden: the API key or its secret is not accepted",
        ),
    ],
)
async def test_what_each_fault_is_called_and_how_often_it_is_tried(
    fault: str, reason: str, attempts: int, says: str
) -> None:
    world = World(5, faults=[parse_fault(fault)])
    await world.exporter.refresh_once()
    message = failure_message(world)
    assert says in message
    assert SECRET not in message
    assert len(world.simulator.requests) == attempts
    assert world.values("confluent_cloud_api_request_failures_total", "reason") == {
        reason: attempts
    }
    assert world.values("confluent_cloud_exporter_refresh_failures_total", "reason") == {reason: 1}
    assert world.value("confluent_cloud_api_error_ratio", endpoint=API_KEYS) == 1
    assert {request.url.host for request in world.sent} == {"127.0.0.1"}


async def test_the_message_names_the_request_for_the_vendors_support() -> None:
    world = World(5, faults=[parse_fault("403")])
    await world.exporter.refresh_once()
    (served,) = world.simulator.requests
    failure = world.state.collectors["api_keys"].failure
    assert failure is not None
    assert failure.request_id == served.request_id
    assert f"(X-Request-Id {served.request_id})" in str(failure)


async def test_a_wrong_secret_is_told_from_a_missing_role() -> None:
    world = World(5)
    world.accounts[0].api_secret = "another"
    await world.exporter.refresh_once()
    assert "the API key or its secret is not accepted" in failure_message(world)
    world.accounts[0].api_secret, world.accounts[0].role = SECRET, "none"
    await world.exporter.refresh_once()
    assert "lacks the role" in failure_message(world)


async def test_an_unknown_path_asks_whether_the_url_is_right() -> None:
    world = World(5, rules=Rules(path_prefix="/api"))
    await world.exporter.refresh_once()
    assert "404 Not Found: no such path; check `url`, and its path prefix" in (
        failure_message(world)
    )
    assert len(world.simulator.requests) == 1


async def test_a_path_prefix_is_kept() -> None:
    world = World(25, settings="page_size: 10", rules=Rules(path_prefix="/api"))
    world = world.configured(url="http://127.0.0.1:8089/api/")
    await world.exporter.refresh_once()
    assert world.value("confluent_cloud_organization_api_keys") == 25


async def test_a_redirect_within_the_origin_is_followed_with_the_credentials() -> None:
    world = World(25, settings="page_size: 10")
    world.simulator.script(2, "redirect")
    await world.exporter.refresh_once()
    assert world.value("confluent_cloud_organization_api_keys") == 25
    assert len(world.simulator.requests) == 4
    assert all(request.authorized for request in world.simulator.requests)


async def test_redirects_without_end_are_given_up() -> None:
    world = World(5, faults=[parse_fault("redirect")])
    await world.exporter.refresh_once()
    assert "too many redirects in a row" in failure_message(world)
    assert len(world.simulator.requests) == 4


async def test_a_passing_fault_costs_a_retry_and_nothing_else() -> None:
    world = World(25, settings="page_size: 10")
    world.simulator.script(2, "500")
    world.simulator.script(3, "reset")
    await world.exporter.refresh_once()
    assert world.value("confluent_cloud_organization_api_keys") == 25
    assert world.value("confluent_cloud_up", collector="api_keys") == 1
    assert world.value("confluent_cloud_api_error_ratio", endpoint=API_KEYS) == pytest.approx(2 / 5)
    assert world.values("confluent_cloud_api_requests_total", "code") == {"200": 4, "500": 1}


async def test_ten_retries_are_all_that_a_refresh_has() -> None:
    world = World(60, settings="page_size: 10")
    for number in (1, 2, 3, 5, 6, 7, 9, 10, 11, 13, 14):  # 3 for each of three pages, then 2
        world.simulator.script(number, "500")
    await world.exporter.refresh_once()
    assert len(world.simulator.requests) == 14
    assert world.values("confluent_cloud_exporter_refresh_failures_total", "reason") == {
        "server_error": 1
    }


async def test_retries_come_ever_later_and_by_chance() -> None:
    pauses: list[list[float]] = [[], [], [], []]
    for _ in range(40):
        world = World(1, faults=[parse_fault("500")])
        world = world.configured(random_seed=len(pauses[0]))
        await world.exporter.refresh_once()
        times = [request.time for request in world.simulator.requests]
        for pause, (before, after) in zip(pauses, itertools.pairwise(times), strict=True):
            pause.append(after - before)
    for attempt, pause in enumerate(pauses):
        cap = 2**attempt
        assert 0 <= min(pause) < cap / 4
        assert cap * 3 / 4 < max(pause) <= cap


async def test_a_body_above_the_bound_is_refused_while_it_is_read() -> None:
    world = World(60, settings="max_response_bytes: 1024")
    await world.exporter.refresh_once()
    assert "the body exceeds 1024 bytes" in failure_message(world)
    assert world.values("confluent_cloud_api_request_failures_total", "reason") == {
        "invalid_response": 1
    }


async def test_an_item_that_cannot_be_read_is_counted_and_does_not_sink_the_rest() -> None:
    page = b"""{"api_version": "iam/v2", "kind": "ApiKeyList", "metadata": {}, "data": [
        {"id": "GOOD", "spec": {"owner": {"id": "sa-1"}, "resource": null}},
        {"id": "BAD", "spec": {"owner": "a text"}},
        {"id": 7, "spec": {}},
        "not even an object"
    ]}"""
    world = answering(page)
    await world.exporter.refresh_once()
    assert world.value("confluent_cloud_organization_api_keys") == 1
    assert world.value("confluent_cloud_exporter_unreadable_items") == 3
    assert world.value("confluent_cloud_up", collector="api_keys") == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"data": []}',
        b'{"metadata": {}}',
        b'{"data": {}, "metadata": {}}',
        b'{"data": [], "metadata": {"next": 7}}',
        b"<html>Sign in</html>",
        b"\xff\xfe",
        b"[" * 5000,
        b'{"data": [' + b"[" * 5000,
        b"\x1f\x8bnot gzip at all",
    ],
)
async def test_a_body_that_is_not_the_envelope_is_a_failure_and_no_zero(body: bytes) -> None:
    world = answering(body)
    await world.exporter.refresh_once()
    assert world.value("confluent_cloud_organization_api_keys") is None
    assert world.values("confluent_cloud_exporter_refresh_failures_total", "reason") == {
        "invalid_response": 1
    }


def answering(body: bytes) -> World:
    """Return a world whose API answers every request with ``body``."""

    async def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=httpx.ByteStream(body))

    world = World(0)
    world.wire = httpx.MockTransport(answer)
    return world.configured()


async def test_one_request_at_a_time_for_each_organization() -> None:
    world = World(25, settings="page_size: 5", faults=[parse_fault("slow:1s")])
    await world.exporter.refresh_once()
    times = [request.time for request in world.simulator.requests]
    assert times == [0, 1, 2, 3, 4]


async def test_an_account_in_the_log_shows_no_secret() -> None:
    world = World(0)
    assert SECRET not in repr(Account(API_KEY, SECRET, world.organization))
    assert SECRET not in repr(world.config)
