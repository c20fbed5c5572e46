from __future__ import annotations

import asyncio
import base64
import itertools
import re
from itertools import pairwise
from typing import TYPE_CHECKING

import httpx
import pytest
from structlog.testing import capture_logs

from exporter.confluent.endpoints import API_KEYS as API_KEYS_LISTING
from exporter.confluent.listing import pages
from exporter.simulator import Account, ApiOptions, SimulatedRateLimit, parse_fault
from exporter.version import __version__
from tests.harness import API_KEY, API_KEYS, SECRET, Harness
from tests.openapi import request_problems
from tests.shared_material import shared_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine


def failure_message(harness: Harness) -> str:
    failure = harness.state.refreshes["api_keys"].failure
    assert failure is not None
    return failure.message


async def test_the_headers_and_the_query_of_a_request() -> None:
    harness = Harness(5, settings="page_size: 7")
    await harness.exporter.refresh_once()
    (request,) = harness.sent
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


async def test_requests_conform_to_the_openapi_specification() -> None:
    shared_file("openapi/apikeys-v2.yaml")
    harness = Harness(25, settings="page_size: 10, rate_limit: {reserve: 0}")
    await harness.exporter.refresh_once()
    assert len(harness.sent) == 3
    for request in harness.sent:
        query = dict(request.url.params)
        assert len(query) == len(request.url.params.multi_items())  # none is given twice
        assert request_problems(request.method, request.url.path, query) == []


async def test_filters_are_sent_and_a_key_that_two_of_them_match_counts_once() -> None:
    harness = Harness(300)
    several = next(key for key in harness.organization.keys.values() if len(key.resources) > 1)
    wanted = [resource.id for resource in several.resources]
    harness = with_filters(harness, f"resources: [{', '.join(wanted)}]")
    await harness.exporter.refresh_once()
    expected = [
        key
        for key in harness.organization.keys.values()
        if {resource.id for resource in key.resources} & set(wanted)
    ]
    assert [request.query.get("spec.resource") for request in harness.simulator.requests] == wanted
    assert harness.value("confluent_cloud_organization_api_keys") == len(expected)


async def test_owner_and_resource_filters_both_apply() -> None:
    harness = with_filters(Harness(300), "resources: [cloud, tableflow]")
    await harness.exporter.refresh_once()
    expected = [
        key
        for key in harness.organization.keys.values()
        if any(resource.id in {"cloud", "tableflow"} for resource in key.resources)
    ]
    assert expected
    assert harness.value("confluent_cloud_organization_api_keys") == len(expected)
    owner = next(key.owner.id for key in expected if key.owner)
    harness = with_filters(Harness(300), f"owners: [{owner}], resources: [cloud, tableflow]")
    await harness.exporter.refresh_once()
    assert [dict(request.query) for request in harness.simulator.requests] == [
        {"spec.owner": owner, "spec.resource": resource, "page_size": "100"}
        for resource in ("cloud", "tableflow")
    ]
    both = [key for key in expected if key.owner is not None and key.owner.id == owner]
    assert harness.value("confluent_cloud_organization_api_keys") == len(both)


def with_filters(harness: Harness, filters: str) -> Harness:
    return harness.configured(f"    filters: {{{filters}}}\n")


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
            "403 Forbidden: the API key is valid, but its owner has no role that allows listing",
        ),
        (
            "forbidden-key",
            "unauthorized",
            1,
            "403 Forbidden: the API key or its secret is not accepted",
        ),
    ],
)
async def test_each_fault_has_a_reason_a_message_and_a_number_of_attempts(
    fault: str, reason: str, attempts: int, says: str
) -> None:
    harness = Harness(5, faults=[parse_fault(fault)])
    await harness.exporter.refresh_once()
    message = failure_message(harness)
    assert says in message
    assert SECRET not in message
    assert len(harness.simulator.requests) == attempts
    assert harness.values("confluent_cloud_api_request_failures_total", "reason") == {
        reason: attempts
    }
    assert harness.values("confluent_cloud_exporter_refresh_failures_total", "reason") == {
        reason: 1
    }
    assert harness.value("confluent_cloud_api_error_ratio", endpoint=API_KEYS) == 1
    assert {request.url.host for request in harness.sent} == {"127.0.0.1"}


async def test_the_failure_has_the_request_id() -> None:
    harness = Harness(5, faults=[parse_fault("403")])
    await harness.exporter.refresh_once()
    (served,) = harness.simulator.requests
    failure = harness.state.refreshes["api_keys"].failure
    assert failure is not None
    assert failure.request_id == served.request_id
    assert f"(X-Request-Id {served.request_id})" in str(failure)


async def test_a_wrong_secret_and_a_missing_role_have_different_messages() -> None:
    harness = Harness(5)
    harness.accounts[0].api_secret = "another"
    await harness.exporter.refresh_once()
    assert "the API key or its secret is not accepted" in failure_message(harness)
    harness.accounts[0].api_secret, harness.accounts[0].role = SECRET, "none"
    await harness.exporter.refresh_once()
    assert "has no role" in failure_message(harness)


async def test_a_404_tells_the_user_to_check_the_url() -> None:
    harness = Harness(5, options=ApiOptions(path_prefix="/api"))
    await harness.exporter.refresh_once()
    assert "404 Not Found: the path does not exist; check `url`, and its path prefix" in (
        failure_message(harness)
    )
    assert len(harness.simulator.requests) == 1


async def test_a_path_prefix_is_kept() -> None:
    harness = Harness(25, settings="page_size: 10", options=ApiOptions(path_prefix="/api"))
    harness = harness.configured(url="http://127.0.0.1:8089/api/")
    await harness.exporter.refresh_once()
    assert harness.value("confluent_cloud_organization_api_keys") == 25


async def test_a_redirect_within_the_origin_is_followed_with_the_credentials() -> None:
    harness = Harness(25, settings="page_size: 10")
    harness.simulator.script(2, "redirect")
    await harness.exporter.refresh_once()
    assert harness.value("confluent_cloud_organization_api_keys") == 25
    assert len(harness.simulator.requests) == 4
    assert all(request.authorized for request in harness.simulator.requests)


@pytest.mark.parametrize(
    "location",
    [
        "https://127.0.0.1:8089/iam/v2/api-keys",
        "http://127.0.0.1:8090/iam/v2/api-keys",
        "http://127.0.0.1/iam/v2/api-keys",
        "http://localhost:8089/iam/v2/api-keys",
        "//evil.example.com/iam/v2/api-keys",
        "http://127.0.0.1:8089@evil.example.com/",
        "file:///etc/passwd",
        "http://[",
        "http://127.0.0.1:port/",
    ],
)
async def test_a_redirect_to_another_origin_is_not_followed(location: str) -> None:
    asked = []

    async def redirect(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return httpx.Response(307, headers={"Location": location, "X-Request-Id": "abc"})

    harness = through(redirect)
    await harness.exporter.refresh_once()
    assert len(asked) == 1
    failure = harness.state.refreshes["api_keys"].failure
    assert failure is not None
    assert (failure.reason, failure.request_id) == ("invalid_response", "abc")


async def test_every_hop_of_a_redirect_is_throttled() -> None:
    harness = Harness(
        10, settings="page_size: 5", rate_limit=SimulatedRateLimit(2, 60)
    )  # one of two is ours
    harness.simulator.script(2, "redirect")
    await harness.exporter.refresh_once()
    windows = harness.simulator.window(harness.organization).windows()
    assert [each[API_KEY].accepted for each in windows.values()] == [1, 1, 1]


async def test_at_most_three_redirects_are_followed() -> None:
    harness = Harness(5, faults=[parse_fault("redirect")])
    await harness.exporter.refresh_once()
    assert "too many redirects in a row" in failure_message(harness)
    assert len(harness.simulator.requests) == 4


async def test_a_transient_fault_costs_one_retry() -> None:
    harness = Harness(25, settings="page_size: 10")
    harness.simulator.script(2, "500")
    harness.simulator.script(3, "reset")
    await harness.exporter.refresh_once()
    assert harness.value("confluent_cloud_organization_api_keys") == 25
    assert harness.value("confluent_cloud_up", collector="api_keys") == 1
    assert harness.value("confluent_cloud_api_error_ratio", endpoint=API_KEYS) == pytest.approx(
        2 / 5
    )
    assert harness.values("confluent_cloud_api_requests_total", "code") == {"200": 4, "500": 1}


async def test_a_refresh_has_at_most_ten_retries() -> None:
    harness = Harness(60, settings="page_size: 10")
    for number in (1, 2, 3, 5, 6, 7, 9, 10, 11, 13, 14):  # 3 for each of three pages, then 2
        harness.simulator.script(number, "500")
    await harness.exporter.refresh_once()
    assert len(harness.simulator.requests) == 14
    assert harness.values("confluent_cloud_exporter_refresh_failures_total", "reason") == {
        "server_error": 1
    }


async def test_retries_back_off_exponentially_with_full_jitter() -> None:
    pauses: list[list[float]] = [[], [], [], []]
    for _ in range(40):
        harness = Harness(1, faults=[parse_fault("500")])
        harness = harness.configured(random_seed=len(pauses[0]))
        await harness.exporter.refresh_once()
        times = [request.time for request in harness.simulator.requests]
        for pause, (before, after) in zip(pauses, itertools.pairwise(times), strict=True):
            pause.append(after - before)
    for attempt, pause in enumerate(pauses):
        cap = 2**attempt
        assert 0 <= min(pause) < cap / 4
        assert cap * 3 / 4 < max(pause) <= cap


async def test_a_body_above_the_limit_is_rejected() -> None:
    harness = Harness(60, settings="max_response_bytes: 1024")
    await harness.exporter.refresh_once()
    assert "the body exceeds 1024 bytes" in failure_message(harness)
    assert harness.values("confluent_cloud_api_request_failures_total", "reason") == {
        "invalid_response": 1
    }


async def test_an_unreadable_item_is_counted_and_the_others_are_listed() -> None:
    page = b"""{"api_version": "iam/v2", "kind": "ApiKeyList", "metadata": {}, "data": [
        {"id": "GOOD", "spec": {"owner": {"id": "sa-1"}, "resource": null}},
        {"id": "BAD", "spec": {"owner": "a text"}},
        {"id": 7, "spec": {}},
        "not even an object"
    ]}"""
    harness = answering(page)
    await harness.exporter.refresh_once()
    assert harness.value("confluent_cloud_organization_api_keys") == 1
    assert harness.value("confluent_cloud_exporter_unreadable_items") == 3
    assert harness.value("confluent_cloud_up", collector="api_keys") == 1


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
async def test_a_body_that_is_not_a_page_is_a_failure_and_not_a_count_of_0(body: bytes) -> None:
    harness = answering(body)
    await harness.exporter.refresh_once()
    assert harness.value("confluent_cloud_organization_api_keys") is None
    assert harness.values("confluent_cloud_exporter_refresh_failures_total", "reason") == {
        "invalid_response": 1
    }


def answering(body: bytes, *, status: int = 200, **headers: str) -> Harness:
    """Return a harness whose API answers every request with ``body``."""

    async def answer(_request: httpx.Request) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.Response(status, headers=named, stream=httpx.ByteStream(body))

    return through(answer)


def through(answer: Callable[[httpx.Request], Coroutine[None, None, httpx.Response]]) -> Harness:
    harness = Harness(0)
    harness.wire = httpx.MockTransport(answer)
    return harness.configured()


async def test_the_failure_for_a_body_that_is_not_a_page_has_the_request_id() -> None:
    harness = answering(b"<html>", x_request_id="abc")
    await harness.exporter.refresh_once()
    failure = harness.state.refreshes["api_keys"].failure
    assert failure is not None
    assert failure.request_id == "abc"


@pytest.mark.parametrize("total_size", ['"25"', "25.0", "null", "-1", "{}"])
async def test_an_invalid_total_size_is_ignored(total_size: str) -> None:
    body = '{"data": [{"id": "A", "spec": {}}], "metadata": {"total_size": SIZE}}'
    harness = answering(body.replace("SIZE", total_size).encode())
    await harness.exporter.refresh_once()
    assert harness.value("confluent_cloud_organization_api_keys") == 1


async def test_an_item_whose_id_is_not_utf_8_is_unreadable_and_the_others_are_listed() -> None:
    body = b'{"data": [{"id": "A", "spec": {}}, {"id": "B\xfc", "spec": {}}], "metadata": {}}'
    harness = answering(body)
    with capture_logs() as logs:
        await harness.exporter.refresh_once()
    assert harness.value("confluent_cloud_organization_api_keys") == 1
    assert harness.value("confluent_cloud_exporter_unreadable_items") == 1
    (warning,) = [entry for entry in logs if entry["log_level"] == "warning"]
    assert (warning["id"], warning["error"]) == ("", "its id is broken")


async def test_an_unreadable_item_is_logged_with_its_id() -> None:
    harness = answering(b'{"data": [{"id": "BAD", "spec": 7}], "metadata": {}}')
    with capture_logs() as logs:
        await harness.exporter.refresh_once()
    (warning,) = [entry for entry in logs if entry["log_level"] == "warning"]
    assert (warning["id"], warning["error"]) == (
        "BAD", "Expected `object`, got `int` - at `$.spec`"
    )  # fmt: skip


async def broken(*, chunks: int) -> AsyncIterator[bytes]:
    for _ in range(chunks):
        yield b"x"
    raise httpx.ReadError("gone")


async def endless() -> AsyncIterator[bytes]:
    while True:
        await asyncio.sleep(1)
        yield b"x"


@pytest.mark.parametrize("body", ["broken", "endless", "not gzip", "large", "not UTF-8"])
@pytest.mark.parametrize(("status", "reason"), [(429, "rate_limited"), (503, "server_error")])
async def test_status_and_headers_apply_even_if_the_body_cannot_be_read(
    status: int, reason: str, body: str
) -> None:
    times = []

    async def answer(_request: httpx.Request) -> httpx.Response:
        times.append(harness.clock.monotonic())
        contents: dict[str, bytes | AsyncIterator[bytes]] = {
            "broken": broken(chunks=3),
            "endless": endless(),
            "not gzip": b"\x1f\x8bno",
            "large": b"x" * 20_000_000,
            "not UTF-8": b'{"message": "f\xfcr"}',
        }
        return httpx.Response(status, headers={"Retry-After": "40"}, content=contents[body])

    harness = through(answer)
    await harness.exporter.refresh_once()
    assert harness.values("confluent_cloud_api_request_failures_total", "reason") == {
        reason: len(times)
    }
    gaps = [after - before for before, after in pairwise(times)]
    assert len(gaps) == 4
    assert min(gaps) >= 40


@pytest.mark.parametrize(
    ("status", "reason", "attempts", "says"),
    [
        (408, "timeout", 5, "the API waited too long"),
        (407, "bad_request", 1, "the API, or a proxy in front of it, rejects"),
        (400, "bad_request", 1, "check `filters` and `page_size`"),
        (204, "invalid_response", 1, "the API does not document this status"),
        (304, "invalid_response", 1, "the API does not document this status"),
    ],
)
async def test_rare_statuses_have_a_reason_and_a_message(
    status: int, reason: str, attempts: int, says: str
) -> None:
    harness = answering(b"", status=status)
    await harness.exporter.refresh_once()
    assert says in failure_message(harness)
    assert harness.values("confluent_cloud_api_request_failures_total", "reason") == {
        reason: attempts
    }


async def test_no_cookie_is_kept() -> None:
    seen = []
    page = '{"data": [], "metadata": {"next": "/?page_token=2"}}', '{"data": [], "metadata": {}}'

    async def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("cookie"))
        body = page[len(seen) - 1].encode()
        headers = {"Set-Cookie": "session=x; Path=/"}
        return httpx.Response(200, headers=headers, stream=httpx.ByteStream(body))

    harness = through(answer)
    await harness.exporter.refresh_once()
    assert seen == [None, None]


async def test_one_request_at_a_time_for_each_organization() -> None:
    harness = Harness(25, settings="page_size: 5", faults=[parse_fault("slow:1s")])
    ((_, host),) = harness.exporter.hosts()

    async def walk() -> None:
        budget = await host.begin(timeout=300)
        async for _ in pages(host, API_KEYS_LISTING, {}, budget, page_size=5):
            pass

    await asyncio.gather(walk(), walk())
    times = [request.time for request in harness.simulator.requests]
    assert times == list(range(10))


async def test_an_account_in_the_log_shows_no_secret() -> None:
    harness = Harness(0)
    assert SECRET not in repr(Account(API_KEY, SECRET, harness.organization))
    assert SECRET not in repr(harness.config)
