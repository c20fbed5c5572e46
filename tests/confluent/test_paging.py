from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from exporter.confluent.listing import MAX_PAGES, Walk
from exporter.errors import PaginationError
from exporter.simulator import ApiOptions, End, parse_fault
from tests.harness import API_KEYS, SECRET, Harness

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.simulator import SimulatedKey, SimulatedResource

KEYS = 2345
ORIGIN = "https://api.example.com/iam/v2/api-keys"


OWNER = ("owner_id", "owner_kind")
RESOURCE = ("resource_id", "resource_kind", "environment_id")
CLUSTERS = {"kafka", "schema-registry", "ksql"}


def counted(harness: Harness, name: str, *labels: str) -> dict[tuple[str, ...], float]:
    """Return the samples of ``name`` by the values of ``labels``."""
    return {
        tuple(dict(given)[label] for label in labels): value
        for (_, given), value in harness.series(name).items()
    }


def owner_of(key: SimulatedKey) -> tuple[str, ...]:
    return (key.owner.id, key.owner.kind) if key.owner else ("", "internal")


def environments(keys: Iterable[SimulatedKey]) -> dict[str, str]:
    """Return where each cluster is, if the item of any key tells it."""
    return {
        one.id: key.visible_environment_id(one)
        for key in keys
        for one in key.resources
        if one.kind in CLUSTERS and key.visible_environment_id(one)
    }


def place_of(key: SimulatedKey, one: SimulatedResource, places: dict[str, str]) -> tuple[str, ...]:
    return (one.id, one.kind, key.visible_environment_id(one) or places.get(one.id, ""))


@pytest.mark.parametrize(
    ("page_size", "requests"), [(100, 24), (99, 24), (67, 35), (1000 // 16, 38), (5, 469)]
)
async def test_2345_keys_take_one_request_per_page_and_every_count_is_correct(
    page_size: int, requests: int
) -> None:
    harness = Harness(KEYS, settings=f"page_size: {page_size}")
    await harness.exporter.refresh_once()

    keys = harness.organization.keys.values()
    assert harness.value("confluent_cloud_organization_api_keys") == KEYS
    assert counted(harness, "confluent_cloud_owner_api_keys", *OWNER) == Counter(
        map(owner_of, keys)
    )
    places = environments(keys)
    incidences = [
        (owner_of(key), place_of(key, one, places)) for key in keys for one in key.resources
    ]
    assert counted(harness, "confluent_cloud_resource_api_keys", *RESOURCE) == Counter(
        place for _, place in incidences
    )
    assert counted(harness, "confluent_cloud_api_keys", *OWNER, *RESOURCE) == Counter(
        owner + place for owner, place in incidences
    )
    assert len(harness.simulator.requests) == requests
    assert harness.value("confluent_cloud_api_requests_total", endpoint=API_KEYS, code="200") == (
        requests
    )


@pytest.mark.parametrize(
    ("end", "requests"),
    [(End.MISSING, 3), (End.NULL, 3), (End.EMPTY_STRING, 3), (End.EMPTY_PAGE, 4)],
)
async def test_every_spelling_of_the_end_of_a_listing(end: End, requests: int) -> None:
    harness = Harness(25, settings="page_size: 10", options=ApiOptions(end=end))
    await harness.exporter.refresh_once()
    assert harness.value("confluent_cloud_organization_api_keys") == 25
    assert len(harness.simulator.requests) == requests


async def test_an_organization_without_keys_has_a_count_of_0() -> None:
    harness = Harness(0)
    await harness.exporter.refresh_once()
    assert harness.value("confluent_cloud_organization_api_keys") == 0
    assert len(harness.simulator.requests) == 1


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("loop", "a page that has been read already"),
        ("notoken", "no usable page_token"),
    ],
)
async def test_an_incomplete_walk_publishes_nothing_and_leaks_nothing(
    fault: str, says: str
) -> None:
    harness = Harness(25, settings="page_size: 10")
    harness.simulator.script(2, fault)
    if fault == "loop":
        harness.simulator.script(3, fault)
    await harness.exporter.refresh_once()
    assert harness.value("confluent_cloud_organization_api_keys") is None
    assert harness.value("confluent_cloud_up", collector="api_keys") == 0
    assert harness.values("confluent_cloud_api_request_failures_total", "reason") == {
        "pagination": 1
    }
    failure = harness.state.refreshes["api_keys"].failure
    assert failure is not None
    assert says in failure.message
    assert {request.url.host for request in harness.sent} == {"127.0.0.1"}
    assert SECRET not in failure.message


async def test_a_next_link_to_another_host_is_requested_from_the_configured_one() -> None:
    harness = Harness(101, settings="page_size: 100", faults=[parse_fault("foreign-next")])
    await harness.exporter.refresh_once()
    assert harness.value("confluent_cloud_organization_api_keys") == 101
    assert harness.value("confluent_cloud_up", collector="api_keys") == 1
    assert [request.url.netloc for request in harness.sent] == [b"127.0.0.1:8089"] * 2
    assert harness.values("confluent_cloud_api_request_failures_total", "reason") == {}


async def test_a_different_total_size_is_only_logged() -> None:
    harness = Harness(25, settings="page_size: 10", options=ApiOptions(total_size=True))

    def create(answered: int) -> None:
        if answered == 3:  # behind the cursor: not seen in this walk
            harness.organization.add(replace(harness.organization.keys.at(0), id="0"))

    harness.meanwhile(create)
    with capture_logs() as logs:
        await harness.exporter.refresh_once()
        assert [entry for entry in logs if entry["log_level"] == "warning"] == []

        def delete(answered: int) -> None:
            if answered == 5:
                harness.organization.delete("0")

        harness.meanwhile(delete)
        await harness.exporter.refresh_once()
    (warning,) = [entry for entry in logs if entry["log_level"] == "warning"]
    assert (warning["listed"], warning["total_size"]) == (26, 25)
    assert harness.value("confluent_cloud_organization_api_keys") == 26


def walk() -> Walk:
    return Walk(endpoint=API_KEYS)


@pytest.mark.parametrize("end", [None, ""])
def test_without_a_link_the_listing_ends(end: str | None) -> None:
    assert walk().token_after(end) is None


def test_only_the_token_is_taken_from_the_link() -> None:
    assert walk().token_after(f"{ORIGIN}?spec.owner=x&page_token=a%2Bb%3D&page_size=7") == "a+b="


def test_a_relative_link_has_a_token_too() -> None:
    assert walk().token_after("/iam/v2/api-keys?page_token=t") == "t"


@pytest.mark.parametrize(
    "link",
    [
        ORIGIN,
        f"{ORIGIN}?page_token=",
        f"{ORIGIN}#?page_token=t",
        f"{ORIGIN}?page_token=%FF",
        f"{ORIGIN}?page_token={'x' * 5000}",
        f"{ORIGIN}?page_token=t&more={'x' * 16_384}",
        "http://[::1",
    ],
)
def test_a_link_without_a_usable_token_is_rejected(link: str) -> None:
    with pytest.raises(PaginationError, match=r"no usable page_token\. The listing is not used"):
        walk().token_after(link)


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example.com/iam/v2/api-keys?page_token=t",
        "//evil.example.com?page_token=t",
        "https://api.example.com@evil.example.com/?page_token=t",
        "http://[::1/?page_token=t",
        "?page_token=t#fragment",
    ],
)
def test_the_rest_of_the_link_does_not_matter(link: str) -> None:
    assert walk().token_after(link) == "t"


def test_the_longest_token_in_percent_encoding_is_usable() -> None:
    assert walk().token_after(f"{ORIGIN}?page_token={'%3D' * 4096}") == "=" * 4096


def test_a_link_of_four_megabytes_is_rejected_before_it_is_parsed() -> None:
    link = f"{ORIGIN}?" + "a=b&" * 1_000_000  # takes a second to parse
    began = time.process_time()
    with pytest.raises(PaginationError, match="no usable page_token"):
        walk().token_after(link)
    assert time.process_time() - began < 0.1


def test_a_repeated_token_is_a_loop_even_pages_later() -> None:
    going = walk()
    for token in ("a", "b", "c"):
        going.token_after(f"{ORIGIN}?page_token={token}")
    with pytest.raises(PaginationError, match="read already"):
        going.token_after(f"{ORIGIN}?page_token=a")


def test_a_listing_has_at_most_100_000_pages() -> None:
    going = walk()
    for number in range(MAX_PAGES - 1):  # the first page needed no token
        going.token_after(f"?page_token={number}")
    with pytest.raises(PaginationError, match="more than 100000 pages"):
        going.token_after("?page_token=one-more")


@given(st.text())
def test_any_link_yields_a_token_the_end_or_a_failure(link: str) -> None:
    try:
        token = walk().token_after(link)
    except PaginationError:
        return
    assert token != ""
