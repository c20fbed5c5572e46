"""Queries to the simulated Metrics API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.simulator import METRICS_QUERY_PATH
from tests.simulator.helpers import client_of

if TYPE_CHECKING:
    import httpx

    from exporter.simulator import Simulator

DAY = 86_400
NOON = 1_704_110_400.0
"""2024-01-01T12:00:00Z."""
PATH = METRICS_QUERY_PATH


def equals(field: str, value: str) -> dict[str, Any]:
    return {"field": field, "op": "EQ", "value": value}


def clusters(*ids: str) -> dict[str, Any]:
    return {"op": "OR", "filters": [equals("resource.kafka.id", each) for each in ids]}


def query_body(**changes: Any) -> dict[str, Any]:
    """Return an hourly query by cluster and principal; None leaves a member out."""
    body = {
        "aggregations": [{"metric": "io.confluent.kafka.server/request_count"}],
        "group_by": ["resource.kafka.id", "metric.principal_id"],
        "granularity": "PT1H",
        "filter": clusters("lkc-1", "lkc-2"),
        "intervals": ["2024-01-01T09:00:00Z/2024-01-01T12:00:00Z"],
        "limit": 1000,
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


async def post(
    simulator: Simulator, body: Any, token: str | None = None, *, api_key: str = "CLOUDKEY"
) -> httpx.Response:
    async with client_of(simulator, api_key) as client:
        parameters = {} if token is None else {"page_token": token}
        return await client.post(PATH, json=body, params=parameters)


async def rows(simulator: Simulator, **changes: Any) -> list[dict[str, Any]]:
    """Return the rows of all pages."""
    found: list[dict[str, Any]] = []
    token = None
    while True:
        response = await post(simulator, query_body(**changes), token)
        assert response.status_code == 200, response.text
        answer = response.json()
        found += answer["data"]
        token = answer["meta"]["pagination"].get("next_page_token")
        if token is None:
            return found


def brief(found: list[dict[str, Any]]) -> list[tuple[str, str | None, str, float]]:
    """Return the cluster, the principal, the time of day and the value of each row."""
    return [
        (
            row["resource.kafka.id"],
            row.get("metric.principal_id"),
            row["timestamp"][11:16],
            row["value"],
        )
        for row in found
    ]
