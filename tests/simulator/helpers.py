"""Helpers for the tests of the simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from exporter.simulator import (
    API_KEYS_PATH,
    Account,
    SimulatedCluster,
    SimulatedEnvironment,
    SimulatedKey,
    SimulatedOrganization,
    SimulatedOwner,
    SimulatedRegion,
    SimulatedResource,
    SimulatedServiceAccount,
    SimulatedUser,
    Simulator,
)
from tests.virtual_time import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from exporter.simulator import ApiOptions, Fault, Lifecycle, SimulatedRateLimit
    from exporter.simulator.model import Record

SECRET = "open sesame"
ORIGIN = "https://api.confluent.cloud"
OWNER = SimulatedOwner("sa-000001", "service-account")
KAFKA = SimulatedResource("lkc-000001", "kafka", "env-000001")


def small_listing() -> list[Record]:
    """Return two environments: one with a cluster of each kind, one with a Kafka cluster."""
    return [
        SimulatedServiceAccount("sa-1", "orders", "writes orders"),
        SimulatedServiceAccount("sa-2", 'the "second"'),
        SimulatedUser("u-1", "ada@example.com", "Ada Example", "AUTH_TYPE_SSO"),
        SimulatedUser("u-2", "person2@example.org"),
        SimulatedEnvironment("env-1", "prod", "ADVANCED"),
        SimulatedEnvironment("env-2", "dev"),
        SimulatedCluster("lkc-1", "kafka", "env-1", "orders", tier="Dedicated"),
        SimulatedCluster("lkc-2", "kafka", "env-2", "scratch", "GCP", "europe-west3"),
        SimulatedCluster("lsrc-1", "schema-registry", "env-1", tier="ADVANCED"),
        SimulatedCluster(
            "lksqlc-1",
            "ksql",
            "env-1",
            "app_1",
            tier="",
            kafka_cluster_id="lkc-1",
            identity_id="sa-1",
        ),
        SimulatedRegion("aws.us-east-1", "N. Virginia (us-east-1)"),
        SimulatedRegion("gcp.us-east-1", "Somewhere else"),
    ]


def some_keys(number: int) -> list[SimulatedKey]:
    """Return keys ``K001``, ``K002``… of one owner for one cluster."""
    return [
        SimulatedKey(f"K{i:03}", OWNER, (KAFKA,), created_at=1_700_000_000.0)
        for i in range(1, number + 1)
    ]


def simulator_of(
    organization: SimulatedOrganization,
    *,
    rate_limit: SimulatedRateLimit | None = None,
    faults: Iterable[Fault] = (),
    lifecycles: Iterable[Lifecycle] = (),
    options: ApiOptions | None = None,
) -> Simulator:
    return Simulator(
        [Account("CLOUDKEY", SECRET, organization)],
        clock=FakeClock(),
        rate_limit=rate_limit,
        faults=faults,
        lifecycles=lifecycles,
        options=options,
    )


def client_of(
    simulator: Simulator, api_key: str = "CLOUDKEY", secret: str = SECRET
) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=simulator.transport(), base_url=ORIGIN, auth=(api_key, secret)
    )


async def ask(
    simulator: Simulator,
    path: str = API_KEYS_PATH,
    /,
    **query: str | Sequence[str],
) -> httpx.Response:
    async with client_of(simulator) as client:
        return await client.get(path, params=query)


async def walk(
    client: httpx.AsyncClient, path: str = API_KEYS_PATH, /, **query: str
) -> list[dict[str, Any]]:
    """Return all pages of a listing by following ``next``."""
    pages = []
    response = await client.get(path, params=query)
    while True:
        assert response.status_code == 200, response.text
        page = response.json()
        pages.append(page)
        link = page["metadata"].get("next")
        if not link:
            return pages
        response = await client.get(link)


def ids_of(pages: list[dict[str, Any]]) -> list[str]:
    return [item["id"] for page in pages for item in page["data"]]
