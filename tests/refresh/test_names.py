from __future__ import annotations

import json
import math
from collections import Counter
from itertools import pairwise

import httpx
import pytest
from structlog.testing import capture_logs

from exporter.collectors.names import DIRECTORY
from exporter.simulator import (
    ENVIRONMENTS_PATH,
    KAFKA_CLUSTERS_PATH,
    KSQL_CLUSTERS_PATH,
    ORGANIZATIONS_PATH,
    REGIONS_PATH,
    SCHEMA_REGISTRIES_PATH,
    SERVICE_ACCOUNTS_PATH,
    USERS_PATH,
    SimulatedRateLimit,
    parse_fault,
)
from tests.harness import Harness, configuration
from tests.web.browser import page_of

NAMES = "names: {enabled: true}"
VIOLATIONS = "confluent_cloud_api_key_policy_violations"
WITH_USERS = "names: {enabled: true, users: true}"
PER_ENVIRONMENT = (KAFKA_CLUSTERS_PATH, SCHEMA_REGISTRIES_PATH, KSQL_CLUSTERS_PATH)


def infos(harness: Harness, kind: str, *labels: str) -> set[tuple[str, ...]]:
    """Return the values of ``labels`` of each series of an info metric."""
    name = f"confluent_cloud_{kind}_info"
    return {
        tuple(dict(given)[label] for label in labels)
        for (_, given), value in harness.series(name).items()
        if value == 1
    }


async def test_every_owner_resource_and_environment_is_shown_with_its_name_or_id() -> None:
    harness = Harness(400, settings=WITH_USERS)
    await harness.exporter.refresh_once()
    truth = harness.organization
    people = {user.id: user.full_name or user.email for user in truth.users.values()}
    owners = infos(harness, "owner", "owner_id", "owner_name")
    counted = harness.values("confluent_cloud_owner_api_keys", "owner_id")
    assert {owner_id for owner_id, _ in owners} == counted.keys()
    for owner_id, name in owners:
        account = truth.service_accounts.get(owner_id)
        known = account.display_name if account else people.get(owner_id)
        assert name == (known or owner_id)
    resources = infos(harness, "resource", "resource_id", "environment_id", "resource_name")
    for resource_id, _, name in resources:
        cluster, region = truth.clusters.get(resource_id), truth.regions.get(resource_id)
        known = cluster.name if cluster else region.name if region else ""
        assert name == (known or resource_id)
    environments = infos(harness, "environment", "environment_id", "environment_name")
    assert environments <= {(one.id, one.name) for one in truth.environments.values()}
    assert environments
    assert infos(harness, "organization", "organization_id", "organization_name") == {
        (truth.id, truth.name)
    }


async def test_every_counted_id_has_one_info_series_with_and_without_names() -> None:
    for settings in (WITH_USERS, ""):
        harness = Harness(400, settings=settings)
        await harness.exporter.refresh_once()
        pairs = [dict(labels) for (_, labels) in harness.series("confluent_cloud_api_keys")]
        owners = Counter(owner for (owner,) in map(tuple, _listed(harness, "owner", "owner_id")))
        places = Counter(map(tuple, _listed(harness, "resource", "resource_id", "environment_id")))
        assert {pair["owner_id"] for pair in pairs} <= owners.keys()
        assert {(pair["resource_id"], pair["environment_id"]) for pair in pairs} <= places.keys()
        assert set(owners.values()) == set(places.values()) == {1}


def _listed(harness: Harness, kind: str, *labels: str) -> list[list[str]]:
    name = f"confluent_cloud_{kind}_info"
    return [[dict(given)[label] for label in labels] for (_, given) in harness.series(name)]


async def test_environments_missing_from_keys_are_taken_from_the_clusters() -> None:
    harness = Harness(400, settings=NAMES)
    await harness.exporter.refresh_once()
    truth = harness.organization.clusters
    placed = infos_of_resources(harness)
    unplaced = {one for one, environment in placed.items() if not environment}
    assert (
        not unplaced & truth.keys()
    )  # only those of the audit log, and resources without an environment
    for resource_id, environment in placed.items():
        if resource_id in truth:
            assert environment == truth[resource_id].environment_id


def infos_of_resources(harness: Harness) -> dict[str, str]:
    return {
        dict(labels)["resource_id"]: dict(labels)["environment_id"]
        for (_, labels) in harness.series("confluent_cloud_resource_api_keys")
        if dict(labels)["resource_kind"] in {"kafka", "schema-registry", "ksql"}
    }


@pytest.mark.parametrize("users", [False, True])
async def test_a_refresh_sends_the_expected_number_of_requests(*, users: bool) -> None:
    harness = Harness(
        900, settings=f"page_size: 20, names: {{enabled: true, users: {str(users).lower()}}}"
    )
    await harness.exporter.refresh_once()
    truth = harness.organization
    clusters = Counter((one.kind, one.environment_id) for one in truth.clusters.values())

    def pages(count: int) -> int:
        return max(1, math.ceil(count / 20))

    expected = {
        "/iam/v2/api-keys": pages(900),
        SERVICE_ACCOUNTS_PATH: pages(len(truth.service_accounts)),
        ENVIRONMENTS_PATH: pages(len(truth.environments)),
        REGIONS_PATH: pages(len(truth.regions)),
        ORGANIZATIONS_PATH: 1,
    } | ({USERS_PATH: pages(len(truth.users))} if users else {})
    for path, kind in zip(PER_ENVIRONMENT, ("kafka", "schema-registry", "ksql"), strict=True):
        expected[path] = sum(pages(clusters[kind, each]) for each in truth.environments)
    assert Counter(request.path for request in harness.simulator.requests) == expected
    for path, count in expected.items():
        assert (
            harness.value("confluent_cloud_api_requests_total", endpoint=path, code="200") == count
        )


@pytest.mark.parametrize(
    ("path", "lost"),
    [
        (SERVICE_ACCOUNTS_PATH, "owner"),
        (USERS_PATH, "owner"),
        (ENVIRONMENTS_PATH, "environment"),
        (KAFKA_CLUSTERS_PATH, "resource"),
        (REGIONS_PATH, "resource"),
        (ORGANIZATIONS_PATH, "organization"),
    ],
)
async def test_each_source_fails_independently_and_keeps_its_names(path: str, lost: str) -> None:
    harness = Harness(400, settings=WITH_USERS)
    await harness.exporter.refresh_once()
    labels = {
        "owner": ("owner_id", "owner_name"),
        "resource": ("resource_id", "environment_id", "resource_name"),
        "environment": ("environment_id", "environment_name"),
        "organization": ("organization_id", "organization_name"),
    }
    before = {kind: infos(harness, kind, *names) for kind, names in labels.items()}
    harness.simulator.faults.append(parse_fault(f"403@{path}"))
    await harness.exporter.refresh_once()
    assert {kind: infos(harness, kind, *names) for kind, names in labels.items()} == before
    assert harness.value("confluent_cloud_up", collector="names") == 0
    assert harness.value("confluent_cloud_up", collector="api_keys") == 1
    failure = harness.state.refreshes["names"].failure
    assert failure is not None
    assert (failure.reason, path in failure.message) == ("forbidden", True)
    assert path in await page_of(harness)

    first = Harness(400, settings=WITH_USERS, faults=[parse_fault(f"403@{path}")])
    await first.exporter.refresh_once()
    assert infos(first, lost, *labels[lost]) != before[lost]
    assert first.value("confluent_cloud_organization_api_keys") == 400
    for kind in labels.keys() - {lost, "resource", "environment"}:
        assert infos(first, kind, *labels[kind]) == before[kind]


async def test_an_environment_deleted_during_a_refresh_is_skipped() -> None:
    harness = Harness(400, settings=NAMES)
    gone = next(iter(harness.organization.environments))

    def vanish(answered: int) -> None:
        if harness.sent[answered - 1].url.path == ENVIRONMENTS_PATH:
            harness.organization.remove_environment(gone)

    harness.meanwhile(vanish)
    await harness.exporter.refresh_once()
    assert harness.value("confluent_cloud_up", collector="names") == 1
    left = set(harness.organization.clusters)
    named = {
        one
        for one, name in infos(harness, "resource", "resource_id", "resource_name")
        if one != name
    }
    assert named & left


async def test_a_role_that_allows_no_cluster_listing_is_a_failure() -> None:
    harness = Harness(400, settings=NAMES)
    harness.accounts[0].denied = frozenset({KAFKA_CLUSTERS_PATH})
    await harness.exporter.refresh_once()
    failure = harness.state.refreshes["names"].failure
    assert failure is not None
    assert KAFKA_CLUSTERS_PATH in failure.message


async def test_names_have_their_own_interval() -> None:
    harness = Harness(
        20, settings="refresh_interval: 5m, names: {enabled: true, refresh_interval: 1h}"
    )
    async with harness.exporter.running():
        await harness.clock.sleep(3 * 3600 - 1)
    paths = Counter(request.path for request in harness.simulator.requests)
    assert paths["/iam/v2/api-keys"] == 36
    assert paths[SERVICE_ACCOUNTS_PATH] == 3


async def test_collectors_share_one_budget_and_one_connection() -> None:
    harness = Harness(
        300,
        settings="page_size: 20, refresh_interval: 30m,"
        " names: {enabled: true, refresh_interval: 30m},"
        " quotas: {enabled: true, refresh_interval: 30m}",
        rate_limit=SimulatedRateLimit(10, 60),
    )
    await harness.exporter.refresh_once()
    assert all(one.up for one in harness.state.refreshes.values())
    windows = harness.simulator.window(harness.organization).windows().values()
    assert max(tally.accepted for each in windows for tally in each.values()) <= 6
    assert not any(tally.refused for each in windows for tally in each.values())


async def test_a_failing_collector_does_not_affect_the_others() -> None:
    harness = Harness(50, settings=f"refresh_interval: 3m, {NAMES}, quotas: {{enabled: true}}")
    harness.simulator.faults += [
        parse_fault(f"{fault}@{path}")
        for fault, path in (
            ("500", SERVICE_ACCOUNTS_PATH),
            ("slow:60s", "/service-quota/v1/scopes"),
        )
    ]
    async with harness.exporter.running():
        await harness.clock.sleep(1799)
        ups = harness.values("confluent_cloud_up", "collector")
        assert ups == {"api_keys": 1}
        assert harness.value("confluent_cloud_organization_api_keys") == 50
        refreshes = harness.value("confluent_cloud_exporter_refreshes_total", collector="api_keys")
        assert refreshes == 10


async def test_no_user_names_or_email_addresses_appear_if_users_are_disabled() -> None:
    harness = Harness(900, settings=f"{NAMES}, quotas: {{enabled: true}}, per_key_metrics: true")
    with capture_logs() as logs:
        await harness.exporter.refresh_once()
        harness.organization.delete(next(iter(harness.organization.keys)))
        await harness.exporter.refresh_once()
    people = [
        text
        for user in harness.organization.users.values()
        for text in (user.full_name, user.email)
        if text
    ]
    assert len(people) > 20
    said = harness.described()
    everything = harness.exposition() + await page_of(harness) + said + repr(logs)
    assert [text for text in people if text in everything] == []
    assert USERS_PATH not in {request.path for request in harness.simulator.requests}


async def test_exactly_the_deleted_owners_are_unknown() -> None:
    harness = Harness(900, settings=WITH_USERS)
    await harness.exporter.refresh_once()
    entities = harness.organization.entities
    gone = {each.id for each in (*entities.deleted_service_accounts, *entities.deactivated_users)}
    owners = {key.owner.id for key in harness.organization.keys.values() if key.owner}
    accused = {
        dict(labels)["owner_id"]
        for (_, labels), value in harness.series(VIOLATIONS).items()
        if dict(labels)["policy"] == "unknown_owner" and value
    }
    assert accused == gone & owners
    assert accused
    assert entities.audit_account is not None
    assert entities.audit_account.id in owners


async def test_no_user_is_unknown_if_users_cannot_be_listed() -> None:
    for account in ({"empty": frozenset({USERS_PATH})}, {"denied": frozenset({USERS_PATH})}):
        harness = Harness(900, settings=WITH_USERS)
        vars(harness.accounts[0]).update(account)
        await harness.exporter.refresh_once()
        accused = {
            dict(labels)["owner_kind"]
            for (_, labels), value in harness.series(VIOLATIONS).items()
            if dict(labels)["policy"] == "unknown_owner" and value
        }
        assert accused == {"service-account"}


async def test_unknown_owners_are_reported_as_not_evaluated_without_names() -> None:
    harness = Harness(200)
    await harness.exporter.refresh_once()
    policies = {dict(labels)["policy"] for (_, labels) in harness.series(VIOLATIONS)}
    assert "unknown_owner" not in policies
    assert "max_age" in policies
    assert "not evaluated" in await page_of(harness)


async def test_names_wait_for_the_keys_and_do_not_delay_them() -> None:
    settings = "page_size: 10, refresh_interval: 5m, stale_after: 1h"
    alone = Harness(150, settings=settings, rate_limit=SimulatedRateLimit(10, 60))
    async with alone.exporter.running():
        await alone.clock.sleep(3600)
    harness = Harness(150, settings=f"{settings}, {NAMES}", rate_limit=SimulatedRateLimit(10, 60))
    async with harness.exporter.running():
        await harness.clock.sleep(3600)
        failures = harness.values("confluent_cloud_exporter_refresh_failures_total", "collector")
        ups = harness.values("confluent_cloud_up", "collector")
    keys = [
        sum(request.path == "/iam/v2/api-keys" for request in each.simulator.requests)
        for each in (alone, harness)
    ]
    assert keys[1] >= keys[0] - 15  # jitter may shift one refresh
    assert failures == {}
    assert ups == {"api_keys": 1, "names": 1}


@pytest.mark.parametrize("fault", ["401", "403"])
async def test_rejected_credentials_are_not_tried_on_other_endpoints(fault: str) -> None:
    harness = Harness(
        20,
        settings=f"refresh_interval: 5m, {NAMES}, quotas: {{enabled: true}}",
        faults=[parse_fault(fault)],
    )
    async with harness.exporter.running():
        await harness.clock.sleep(6 * 3600)
    times = [request.time for request in harness.simulator.requests]
    assert {request.path for request in harness.simulator.requests} == {"/iam/v2/api-keys"}
    assert min(after - before for before, after in pairwise(times)) >= 300
    assert harness.values("confluent_cloud_up", "collector") == {}


async def test_revoked_credentials_end_the_listing_of_names() -> None:
    harness = Harness(20, settings=NAMES)
    harness.meanwhile(
        lambda n: harness.simulator.faults.extend([parse_fault("401")] if n == 3 else [])
    )
    await harness.exporter.refresh_once()
    assert len(harness.simulator.requests) == 4


async def test_cluster_listings_stop_early_if_the_role_allows_none() -> None:
    harness = Harness(2000, settings=NAMES)
    assert len(harness.organization.environments) > 5
    harness.accounts[0].denied = frozenset(PER_ENVIRONMENT)
    await harness.exporter.refresh_once()
    paths = Counter(request.path for request in harness.simulator.requests)
    assert [paths[path] for path in PER_ENVIRONMENT] == [2, 2, 2]


async def test_a_forbidden_environment_keeps_its_known_clusters() -> None:
    harness = Harness(400, settings=NAMES)
    await harness.exporter.refresh_once()
    before = infos(harness, "resource", "resource_id", "resource_name")
    kafka = [
        n
        for n, request in enumerate(harness.simulator.requests, 1)
        if request.path == KAFKA_CLUSTERS_PATH
    ]
    harness.simulator.reset_requests()
    harness.simulator.script(kafka[1], "403")
    await harness.exporter.refresh_once()
    assert infos(harness, "resource", "resource_id", "resource_name") == before


async def test_disabled_names_disappear_immediately() -> None:
    settings = f"{WITH_USERS}, quotas: {{enabled: true}}"
    harness = Harness(400, settings=settings)
    people = [
        text
        for user in harness.organization.users.values()
        for text in (user.full_name, user.email)
        if text
    ]
    for wanted, gone in (
        (f"{NAMES}, quotas: {{enabled: true}}", people),
        ("", [*people, "kafka.max_api"]),
    ):
        harness.configured()
        async with harness.exporter.running():
            await harness.clock.sleep(60)
            assert any(text in harness.exposition() for text in people)
            await harness.exporter.reload(configuration(wanted))
            everything = harness.exposition() + await page_of(harness)
            assert [text for text in gone if text in everything] == []
            assert harness.value("confluent_cloud_organization_api_keys") == 400


async def test_no_owner_is_unknown_if_a_service_account_is_unreadable() -> None:
    harness = Harness(300, settings=NAMES)
    harness.simulator.script(1, "truncated", path=SERVICE_ACCOUNTS_PATH)
    await harness.exporter.refresh_once()
    evaluated = {dict(labels)["policy"] for (_, labels) in harness.series(VIOLATIONS)}
    assert "unknown_owner" not in evaluated


async def test_a_name_with_a_lone_surrogate_does_not_affect_other_names() -> None:
    harness = Harness(300, settings=NAMES)
    listed = harness.organization.service_accounts.values()
    names = {account.id: account.display_name for account in listed}
    broken, name = next(iter(names.items()))
    inner = harness.wire

    async def answer(request: httpx.Request) -> httpx.Response:
        response = await inner.handle_async_request(request)
        body = await response.aread()
        if request.url.path == SERVICE_ACCOUNTS_PATH:
            body = body.replace(json.dumps(name).encode(), rb'"cut \ud83d"')
        return httpx.Response(200, stream=httpx.ByteStream(body))

    harness.wire = httpx.MockTransport(answer)
    await harness.configured().exporter.refresh_once()
    assert harness.value("confluent_cloud_up", collector="names") == 1
    accounts = harness.state.get(DIRECTORY).service_accounts
    assert accounts == {**names, broken: "cut \ufffd"}
    owners = {(owner, name) for owner, name in infos(harness, "owner", "owner_id", "owner_name")}
    assert (broken, "cut \ufffd") in owners


async def test_unknown_owners_are_kept_during_a_temporary_failure() -> None:
    harness = Harness(900, settings=NAMES)

    def accused() -> dict[str, float]:
        return {
            dict(labels)["owner_id"]: value
            for (_, labels), value in harness.series(VIOLATIONS).items()
            if dict(labels)["policy"] == "unknown_owner"
        }

    await harness.exporter.refresh_once()
    before = accused()
    assert before
    harness.simulator.faults.append(parse_fault(f"500@{SERVICE_ACCOUNTS_PATH}"))
    await harness.exporter.refresh_once()
    assert accused() == before
