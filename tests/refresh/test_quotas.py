from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import replace

import httpx
import pytest

from exporter.simulator import APPLIED_QUOTAS_PATH, CLOUD, QUOTA_SCOPES_PATH, parse_fault
from tests.harness import Harness

QUOTAS = "quotas: {enabled: true}"
LABELS = ("quota_id", "scope", "owner_id", "environment_id", "resource_id")


def rows(harness: Harness, name: str) -> dict[tuple[str, ...], float]:
    return {
        tuple(dict(labels)[label] for label in LABELS): value
        for (_, labels), value in harness.series(f"confluent_cloud_quota_{name}").items()
    }


async def test_limits_and_usages_are_those_of_the_api_and_missing_is_not_zero() -> None:
    harness = Harness(400, settings=QUOTAS)
    await harness.exporter.refresh_once()
    truth = [quota for quota in harness.organization.quotas() if "api_keys" in quota.id]
    at = [(q.id, q.scope.lower(), q.owner_id, q.environment_id, q.resource_id) for q in truth]
    assert rows(harness, "limit") == {
        place: quota.limit for place, quota in zip(at, truth, strict=True)
    }
    assert rows(harness, "usage") == {
        place: quota.usage
        for place, quota in zip(at, truth, strict=True)
        if quota.usage is not None
    }
    assert any(quota.usage is None for quota in truth)


async def test_usage_is_counted_from_the_keys_if_the_api_reports_none() -> None:
    harness = Harness(400, settings=QUOTAS)
    await harness.exporter.refresh_once()
    counted, keys = rows(harness, "counted_usage"), harness.organization.keys.values()
    clusters = {"kafka", "schema-registry", "ksql"}
    by_owner = Counter(
        key.owner.id
        for key in keys
        if key.owner and any(each.kind in clusters for each in key.resources)
    )
    blank = {
        place: value
        for place, value in counted.items()
        if place[0] == "iam.max_cluster_api_keys.per_service_account"
    }
    assert blank
    for (_, _, owner_id, _, _), value in blank.items():
        assert value == by_owner[owner_id]
    cloud = [key for key in keys if any(each.kind == "cloud" for each in key.resources)]
    assert counted["iam.max_cloud_api_keys.per_org", "organization", "", "", ""] == len(cloud)
    by_cluster = Counter(each.id for key in keys for each in key.resources if each.kind == "kafka")
    for (quota_id, _, _, _, cluster_id), value in counted.items():
        if quota_id == "kafka.max_api_keys.per_cluster":
            assert value == by_cluster[cluster_id]


async def test_usage_is_not_counted_with_filters() -> None:
    harness = Harness(100, settings=QUOTAS).configured("    filters: {resources: [cloud]}\n")
    await harness.exporter.refresh_once()
    assert rows(harness, "limit")
    assert rows(harness, "counted_usage") == {}


@pytest.mark.parametrize(
    ("include", "expected"),
    [('["*"]', True), ('["iam.max_service_accounts.per_org"]', True), ('["*api_keys*"]', False)],
)
async def test_only_included_quotas_are_exposed(include: str, *, expected: bool) -> None:
    harness = Harness(100, settings=f"quotas: {{enabled: true, include: {include}}}")
    await harness.exporter.refresh_once()
    codes = {place[0] for place in rows(harness, "limit")}
    assert ("iam.max_service_accounts.per_org" in codes) is expected


async def test_a_refresh_requests_the_scopes_and_the_pages_of_each() -> None:
    harness = Harness(400, settings=f"page_size: 50, {QUOTAS}")
    await harness.exporter.refresh_once()
    requests = Counter(request.path for request in harness.simulator.requests)
    scopes = Counter(quota.scope for quota in harness.organization.quotas())
    asked = {
        request.query["scope"] for request in harness.simulator.requests if "scope" in request.query
    }
    assert requests[QUOTA_SCOPES_PATH] == 1
    assert scopes.keys() <= asked
    assert requests[APPLIED_QUOTAS_PATH] == sum(
        max(1, math.ceil(scopes[scope] / 50)) for scope in asked
    )


async def test_a_failing_scope_keeps_its_rows_while_the_others_are_updated() -> None:
    harness = Harness(100, settings=QUOTAS)
    await harness.exporter.refresh_once()
    before = rows(harness, "usage")
    cloud = next(key for key in harness.organization.keys.values() if key.resources == (CLOUD,))
    harness.organization.add(replace(cloud, id="NEW"))

    def fail(answered: int) -> None:
        if harness.sent[answered - 1].url.params.get("scope", "").upper() == "ORGANIZATION":
            harness.simulator.faults.append(parse_fault(f"500@{APPLIED_QUOTAS_PATH}"))

    harness.meanwhile(fail)
    await harness.exporter.refresh_once()
    after = rows(harness, "usage")
    of_the_organization = ("iam.max_cloud_api_keys.per_org", "organization", "", "", "")
    assert after.pop(of_the_organization) == before.pop(of_the_organization) + 1
    assert after == before
    assert harness.value("confluent_cloud_up", collector="quotas") == 0
    assert harness.value("confluent_cloud_up", collector="api_keys") == 1


async def test_kept_rows_of_a_failing_scope_become_stale_no_later_than_others() -> None:
    harness = Harness(50, settings="quotas: {enabled: true, refresh_interval: 15m}")

    def fail(answered: int) -> None:
        if harness.sent[answered - 1].url.params.get("scope", "").upper() == "ORGANIZATION":
            harness.simulator.faults.append(parse_fault(f"500@{APPLIED_QUOTAS_PATH}"))

    async with harness.exporter.running():
        await harness.clock.sleep(60)
        harness.meanwhile(fail)  # only the first scope is listed again
        await harness.clock.sleep(20 * 60)
        harness.simulator.faults.append(parse_fault(f"500@{QUOTA_SCOPES_PATH}"))
        await harness.clock.sleep(24 * 60 - 2)
        assert rows(harness, "limit")
        await harness.clock.sleep(2)
        assert not rows(harness, "limit")


async def test_stale_quotas_disappear() -> None:
    harness = Harness(50, settings="quotas: {enabled: true, refresh_interval: 15m}")
    async with harness.exporter.running():
        await harness.clock.sleep(1)
        harness.simulator.faults.append(parse_fault(f"500@{QUOTA_SCOPES_PATH}"))
        await harness.clock.sleep(45 * 60 - 2)
        assert rows(harness, "limit")
        await harness.clock.sleep(2)
        assert rows(harness, "limit") == {}
        assert harness.value("confluent_cloud_organization_api_keys") == 50


async def test_collectors_expose_when_their_data_becomes_stale() -> None:
    settings = "refresh_interval: 4m, names: {enabled: true}, quotas: {refresh_interval: 10m}"
    harness = Harness(5, settings=settings)
    name = "confluent_cloud_exporter_stale_after_seconds"
    assert harness.values(name, "collector") == {"api_keys": 720, "quotas": 1800}


async def test_a_repeated_row_is_one_series() -> None:
    harness = Harness(50, settings=QUOTAS)
    await harness.exporter.refresh_once()
    names = [line.split(" ")[0] for line in harness.exposition().splitlines() if line[0] != "#"]
    assert len(names) == len(set(names))
    scopes = "page_size: 100, " + QUOTAS
    twice = Harness(50, settings=scopes)
    answer = twice.wire.handle_async_request

    async def again(request: httpx.Request) -> httpx.Response:
        response = await answer(request)
        if request.url.path != APPLIED_QUOTAS_PATH:
            return response
        body = json.loads(await response.aread())
        body["data"] *= 2
        return httpx.Response(200, stream=httpx.ByteStream(json.dumps(body).encode()))

    twice.wire = httpx.MockTransport(again)
    twice.configured()
    await twice.exporter.refresh_once()
    assert rows(twice, "limit") == rows(harness, "limit")
    names = [line.split(" ")[0] for line in twice.exposition().splitlines() if line[0] != "#"]
    assert len(names) == len(set(names))


async def test_counts_are_unaffected_if_quotas_are_forbidden() -> None:
    harness = Harness(100, settings=QUOTAS, faults=[parse_fault(f"403@{QUOTA_SCOPES_PATH}")])
    await harness.exporter.refresh_once()
    assert rows(harness, "limit") == {}
    assert harness.value("confluent_cloud_organization_api_keys") == 100
    assert harness.value("confluent_cloud_up", collector="quotas") == 0


async def test_no_usage_is_counted_from_keys_that_are_too_old() -> None:
    code = "iam.max_cluster_api_keys.per_service_account"  # the API reports no usage of it
    harness = Harness(400, settings=f"quotas: {{refresh_interval: 15m, include: [{code}]}}")

    def shown() -> int:
        tables = [
            table for each in harness.exporter.summaries(harness.state) for table in each.tables
        ]
        return sum(len(table.rows) for table in tables if table.short_title == "quotas")

    async with harness.exporter.running():
        await harness.clock.sleep(60)
        assert shown() == 5
        assert rows(harness, "counted_usage")
        harness.simulator.faults.append(parse_fault("500@/iam/v2/api-keys"))
        await harness.clock.sleep(15 * 60)
        assert rows(harness, "limit"), "the quotas themselves are fresh"
        assert (shown(), rows(harness, "counted_usage")) == (0, {})
