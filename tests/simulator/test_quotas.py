from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from exporter.simulator import (
    APPLIED_QUOTAS_PATH,
    CLOUD,
    GLOBAL,
    TABLEFLOW,
    Entities,
    SimulatedCluster,
    SimulatedEnvironment,
    SimulatedKey,
    SimulatedOrganization,
    SimulatedOwner,
    SimulatedQuota,
    SimulatedResource,
    SimulatedServiceAccount,
    SimulatedUser,
    seeded_organization,
)
from tests.simulator.helpers import ask, ids_of, simulator_of, small_listing
from tests.virtual_time import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterable

ORG = "11111111-2222-4333-8444-555555555555"
SERVICE = SimulatedOwner("sa-1", "service-account")
USER = SimulatedOwner("u-1", "user")
DEACTIVATED = SimulatedOwner("u-gone", "user")
AUDITOR = SimulatedOwner("sa-audit", "service-account")
KAFKA = SimulatedResource("lkc-1", "kafka", "env-1")
REGISTRY = SimulatedResource("lsrc-1", "schema-registry", "env-1")
REGION = SimulatedResource("aws.us-east-1", "flink-region", "env-1")
AUDIT = SimulatedResource("lkc-audit", "kafka")


def keys_for(
    owner: SimulatedOwner | None, *resources: SimulatedResource, number: int = 1, name: str = ""
) -> list[SimulatedKey]:
    first = name or f"{owner.id if owner else 'none'}-{resources[0].id}"
    return [SimulatedKey(f"{first}-{n}", owner, resources, 0.0) for n in range(number)]


def organization_of(*keys: Iterable[SimulatedKey]) -> SimulatedOrganization:
    return SimulatedOrganization(
        [*(key for group in keys for key in group), *small_listing()],
        id=ORG,
        entities=Entities(audit_account=AUDITOR, audit_cluster=AUDIT),
    )


def worked() -> SimulatedOrganization:
    """17 keys: 6 for Cloud, 7 for lkc-1 (one of them for its Schema Registry too)."""
    return organization_of(
        keys_for(SERVICE, CLOUD, number=2),
        keys_for(USER, CLOUD, number=3),
        keys_for(DEACTIVATED, CLOUD),
        keys_for(SERVICE, KAFKA, number=4),
        keys_for(USER, KAFKA, REGISTRY, name="both"),
        keys_for(DEACTIVATED, KAFKA),
        keys_for(None, KAFKA),
        keys_for(USER, REGISTRY),
        keys_for(USER, GLOBAL),
        keys_for(USER, TABLEFLOW),
        keys_for(USER, REGION),
    )


def usages(organization: SimulatedOrganization) -> dict[tuple[str, str], int | None]:
    return {
        (quota.id, quota.owner_id or quota.resource_id or quota.environment_id): quota.usage
        for quota in organization.quotas()
    }


def test_usage_is_computed_from_the_records() -> None:
    assert usages(worked()) == {
        ("iam.max_cloud_api_keys.per_org", ""): 6,
        ("iam.max_audit_log_api_keys.per_org", ""): None,
        ("iam.max_service_accounts.per_org", ""): 2,
        ("iam.max_users.per_org", ""): 2,
        ("iam.max_environments.per_org", ""): 2,
        ("iam.max_kafka_clusters.per_org", ""): 2,
        ("kafka.max_kafka_clusters.per_env", "env-1"): 1,
        ("kafka.max_kafka_clusters.per_env", "env-2"): 1,
        ("kafka.max_api_keys.per_cluster", "lkc-1"): 7,
        ("kafka.max_api_keys.per_cluster", "lkc-2"): None,
        ("iam.max_cloud_api_keys.per_user", "u-1"): 3,
        ("iam.max_cloud_api_keys.per_user", "u-2"): None,
        ("iam.max_cluster_api_keys.per_user", "u-1"): 2,
        ("iam.max_cluster_api_keys.per_user", "u-2"): None,
        ("iam.max_cloud_api_keys.per_service_account", "sa-1"): 2,
        ("iam.max_cloud_api_keys.per_service_account", "sa-2"): None,
        # Four keys, but a usage that is never reported.
        ("iam.max_cluster_api_keys.per_service_account", "sa-1"): None,
        ("iam.max_cluster_api_keys.per_service_account", "sa-2"): None,
    }


def test_scopes_and_limits() -> None:
    found = {(quota.id, quota.scope, quota.limit) for quota in worked().quotas()}

    assert found == {
        ("iam.max_cloud_api_keys.per_org", "ORGANIZATION", 1000),
        ("iam.max_audit_log_api_keys.per_org", "ORGANIZATION", 10_000),
        ("iam.max_service_accounts.per_org", "ORGANIZATION", 1000),
        ("iam.max_users.per_org", "ORGANIZATION", 1000),
        ("iam.max_environments.per_org", "ORGANIZATION", 25),
        ("iam.max_kafka_clusters.per_org", "ORGANIZATION", 400),
        ("kafka.max_kafka_clusters.per_env", "ENVIRONMENT", 20),
        ("kafka.max_api_keys.per_cluster", "KAFKA_CLUSTER", 2000),  # lkc-1 is Dedicated
        ("kafka.max_api_keys.per_cluster", "KAFKA_CLUSTER", 50),  # lkc-2 is Basic
        ("iam.max_cloud_api_keys.per_user", "USER_ACCOUNT", 10),
        ("iam.max_cluster_api_keys.per_user", "USER_ACCOUNT", 10),
        ("iam.max_cloud_api_keys.per_service_account", "SERVICE_ACCOUNT", 100),
        ("iam.max_cluster_api_keys.per_service_account", "SERVICE_ACCOUNT", 100),
    }


def test_the_quota_of_a_cluster_names_its_environment() -> None:
    assert (
        SimulatedQuota(
            "kafka.max_api_keys.per_cluster",
            "KAFKA_CLUSTER",
            2000,
            7,
            environment_id="env-1",
            resource_id="lkc-1",
            default_limit=2000,
        )
        in worked().quotas()
    )


def test_keys_for_the_audit_log_are_those_of_its_account() -> None:
    organization = organization_of(keys_for(AUDITOR, AUDIT, number=3))

    assert usages(organization)["iam.max_audit_log_api_keys.per_org", ""] == 3
    assert "lkc-audit" not in {quota.resource_id for quota in organization.quotas()}


@pytest.mark.parametrize(
    ("number", "limit"), [(0, 10), (9, 10), (10, 10), (11, 20), (20, 20), (21, 30)]
)
def test_limits_are_multiplied_until_usage_fits(number: int, limit: int) -> None:
    organization = organization_of(keys_for(USER, CLOUD, number=number))
    (quota,) = [
        q
        for q in organization.quotas()
        if (q.id, q.owner_id) == ("iam.max_cloud_api_keys.per_user", "u-1")
    ]

    assert (quota.limit, quota.default_limit) == (limit, 10)


def test_quotas_follow_the_records() -> None:
    organization = worked()
    before = organization.quotas()
    assert organization.quotas() == before

    organization.delete("sa-1-cloud-0")
    organization.add(*keys_for(SERVICE, KAFKA, name="another"))
    organization.remove_environment("env-2")
    organization.add(SimulatedServiceAccount("sa-3", "third"))

    after = usages(organization)
    assert after["iam.max_cloud_api_keys.per_org", ""] == 5
    assert after["kafka.max_api_keys.per_cluster", "lkc-1"] == 8
    assert after["iam.max_service_accounts.per_org", ""] == 3
    assert after["iam.max_kafka_clusters.per_org", ""] == 1
    assert ("kafka.max_api_keys.per_cluster", "lkc-2") not in after


async def listed(**query: str) -> list[dict[str, Any]]:
    response = await ask(simulator_of(worked()), APPLIED_QUOTAS_PATH, page_size="200", **query)
    assert response.status_code == 200, response.text
    data: list[dict[str, Any]] = response.json()["data"]
    return data


@pytest.mark.parametrize("scope", ["ORGANIZATION", "organization", "Organization"])
async def test_the_scope_filter_ignores_case(scope: str) -> None:
    found = await listed(scope=scope)

    assert [item["id"] for item in found] == [
        "iam.max_audit_log_api_keys.per_org",
        "iam.max_cloud_api_keys.per_org",
        "iam.max_environments.per_org",
        "iam.max_kafka_clusters.per_org",
        "iam.max_service_accounts.per_org",
        "iam.max_users.per_org",
    ]
    assert {item["scope"] for item in found} == {"organization"}
    assert {item["organization"]["id"] for item in found} == {ORG}


async def test_unused_quotas_lack_usage() -> None:
    audit, cloud, *_ = await listed(scope="ORGANIZATION")

    assert "usage" not in audit
    assert (cloud["usage"], cloud["applied_limit"], cloud["default_limit"]) == (6, 1000, 1000)
    assert (audit["environment"], audit["kafka_cluster"]) == (None, None)
    assert "user" not in audit


async def test_the_member_user_refers_to_users_and_service_accounts() -> None:
    services = (await listed(scope="SERVICE_ACCOUNT"))[:2]
    users = (await listed(scope="USER_ACCOUNT"))[:2]

    assert [(item["user"]["id"], item.get("usage")) for item in services] == [
        ("sa-1", 2),
        ("sa-2", None),
    ]
    assert services[0]["user"]["related"].endswith("/iam/v2/service-accounts/sa-1")
    assert [(item["user"]["id"], item.get("usage")) for item in users] == [
        ("u-1", 3),
        ("u-2", None),
    ]
    assert users[0]["user"]["resource_name"].endswith("/user=u-1")


async def test_quotas_of_clusters_refer_to_cluster_and_environment() -> None:
    first, second = await listed(scope="KAFKA_CLUSTER")

    assert (first["kafka_cluster"]["id"], first["usage"]) == ("lkc-1", 7)
    assert first["kafka_cluster"]["environment"] == first["environment"]["id"] == "env-1"
    assert second["kafka_cluster"]["id"] == "lkc-2"


@pytest.mark.parametrize("scope", ["NETWORK", "IDENTITY_PROVIDER", "certificate_authority"])
async def test_a_scope_without_quotas_is_empty(scope: str) -> None:
    assert await listed(scope=scope) == []


async def test_quotas_with_the_same_code_are_paged_without_loss() -> None:
    users = [SimulatedUser(f"u-{n}", f"{n}@example.com") for n in range(3)]
    simulator = simulator_of(SimulatedOrganization(users))
    seen: list[tuple[str, str]] = []
    token = ""
    for _ in range(6):
        page = (
            await ask(
                simulator,
                APPLIED_QUOTAS_PATH,
                scope="USER_ACCOUNT",
                page_size="1",
                page_token=token,
            )
        ).json()
        ((item),) = page["data"]
        seen.append((item["id"], item["user"]["id"]))
        link = page["metadata"].get("next", "")
        token = link.partition("page_token=")[2].partition("&")[0].replace("%3D", "=")

    assert not token
    assert seen == [
        (code, f"u-{n}")
        for code in ("iam.max_cloud_api_keys.per_user", "iam.max_cluster_api_keys.per_user")
        for n in range(3)
    ]


@pytest.mark.parametrize(
    ("tier", "limit"),
    [
        ("Basic", 50),
        ("Standard", 100),
        ("Enterprise", 500),
        ("Freight", 500),
        ("Dedicated", 2000),
        ("Unheard", 2000),
    ],
)
def test_the_limit_of_a_cluster_depends_on_its_tier(tier: str, limit: int) -> None:
    organization = SimulatedOrganization(
        [
            SimulatedEnvironment("env-1", "prod"),
            SimulatedCluster("lkc-1", "kafka", "env-1", tier=tier),
        ]
    )
    (quota,) = [q for q in organization.quotas() if q.scope == "KAFKA_CLUSTER"]

    assert (quota.limit, quota.usage) == (limit, None)


async def test_usage_is_within_the_limits_and_sometimes_near_them() -> None:
    organization = seeded_organization(seed=1, keys=1200, now=EPOCH)
    used = [quota for quota in organization.quotas() if quota.usage is not None]

    assert all(quota.usage <= quota.limit for quota in used if quota.usage)
    assert any(quota.usage >= 0.5 * quota.limit for quota in used if quota.usage)
    page = (await ask(simulator_of(organization), APPLIED_QUOTAS_PATH, scope="ENVIRONMENT")).json()
    assert len(ids_of([page])) == len(organization.environments)
