"""Keys that come, go and change while the pages are walked."""

from __future__ import annotations

import json
from typing import Any

import httpx
from hypothesis import given
from hypothesis import strategies as st

from exporter.simulator import (
    CLOUD,
    TABLEFLOW,
    SimulatedKey,
    SimulatedOwner,
    SimulatedResource,
)
from tests import virtual_time
from tests.harness import Harness
from tests.virtual_time import EPOCH

KAFKA = SimulatedResource("lkc-1", "kafka", "env-1")
REGISTRY = SimulatedResource("lsrc-1", "schema-registry", "env-1")
OWNER_KEYS = "confluent_cloud_owner_api_keys"
TOTAL = "confluent_cloud_organization_api_keys"


def key(number: int) -> SimulatedKey:
    """A key with an owner of its own, so that the owners' metric tells which keys were counted."""
    owner = SimulatedOwner(f"sa-{number:04d}", "service-account")
    resources = (KAFKA, REGISTRY, TABLEFLOW)[: number % 3 + 1] if number % 4 else (CLOUD,)
    return SimulatedKey(f"{number:016d}", owner, resources, created_at=EPOCH)


_CHANGES = st.lists(st.tuples(st.integers(1, 12), st.booleans(), st.integers(0, 80)), max_size=30)


@given(at_first=st.sets(st.integers(0, 80)), page_size=st.integers(1, 20), changes=_CHANGES)
def test_a_key_that_stays_is_counted_once_and_one_that_never_was_is_not(
    at_first: set[int], page_size: int, changes: list[tuple[int, bool, int]]
) -> None:
    async def walk() -> None:
        harness = Harness([key(number) for number in at_first], settings=f"page_size: {page_size}")
        present, stayed, ever = set(at_first), set(at_first), set(at_first)

        def move(answered: int) -> None:
            for moment, create, number in changes:
                if moment != answered or create == (number in present):
                    continue
                if create:
                    harness.organization.add(key(number))
                    present.add(number)
                    ever.add(number)
                else:
                    harness.organization.delete(key(number).id)
                    present.discard(number)
                    stayed.discard(number)

        harness.meanwhile(move)
        await harness.exporter.refresh_once()
        counted = harness.values(OWNER_KEYS, "owner_id")
        assert set(counted.values()) <= {1}
        ids = {int(owner_id.removeprefix("sa-")) for owner_id in counted}
        assert stayed <= ids <= ever
        assert harness.value(TOTAL) == len(ids) == sum(counted.values())
        incidences = sum(len(key(number).resources) for number in ids)
        for name in ("confluent_cloud_resource_api_keys", "confluent_cloud_api_keys"):
            assert sum(harness.series(name).values()) == incidences >= len(ids)

    virtual_time.run(walk())


def pages(*contents: list[dict[str, Any]]) -> Harness:
    """Return a harness whose API has just these pages."""
    asked: list[str] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        number = int(request.url.params.get("page_token", "0"))
        asked.append(str(request.url))
        last = number + 1 == len(contents)
        metadata = {} if last else {"next": f"{request.url.path}?page_token={number + 1}"}
        body = {"data": contents[number], "metadata": metadata}
        return httpx.Response(200, stream=httpx.ByteStream(json.dumps(body).encode()))

    harness = Harness(0)
    harness.wire = httpx.MockTransport(answer)
    return harness.configured()


def item(key_id: str, owner_id: str) -> dict[str, Any]:
    return {"id": key_id, "spec": {"owner": {"id": owner_id}, "resource": None}}


async def test_a_key_on_two_pages_counts_once_as_it_was_read_last() -> None:
    harness = pages(
        [item("A", "sa-1"), item("B", "sa-1")],
        [item("B", "sa-2"), item("C", "sa-2"), item("A", "sa-1")],
        [],
        [item("D", "sa-3"), item("D", "sa-3")],
    )
    await harness.exporter.refresh_once()
    assert harness.value(TOTAL) == 4
    assert harness.values(OWNER_KEYS, "owner_id") == {"sa-1": 1, "sa-2": 2, "sa-3": 1}


async def test_pages_of_any_size_in_between_are_no_end() -> None:
    harness = pages([], [item("A", "sa-1")], [], [], [item("B", "sa-1")])
    await harness.exporter.refresh_once()
    assert harness.value(TOTAL) == 2
