"""The records of the directory, and the quotas, as the JSON items of their listings (facts §2, §3).

What is optional comes and goes from one record to the next, decided by its id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

from exporter.simulator.paths import (
    APPLIED_QUOTAS_PATH,
    ENVIRONMENTS_PATH,
    KAFKA_CLUSTERS_PATH,
    KSQL_CLUSTERS_PATH,
    ORGANIZATIONS_PATH,
    QUOTA_SCOPES_PATH,
    SCHEMA_REGISTRIES_PATH,
    SERVICE_ACCOUNTS_PATH,
    USERS_PATH,
)
from exporter.simulator.quotas import CODES, SCOPES
from exporter.simulator.spelling import ORIGIN

if TYPE_CHECKING:
    from exporter.simulator.records import (
        SimulatedCluster,
        SimulatedEnvironment,
        SimulatedQuota,
        SimulatedRegion,
        SimulatedServiceAccount,
        SimulatedUser,
    )
    from exporter.simulator.spelling import Item, Json

_CRN = "crn://confluent.cloud"
_CKU = 2  # of every Dedicated cluster


def service_account_item(account: SimulatedServiceAccount, organization_id: str) -> Item:
    """Return an item of the list of service accounts."""
    crn = f"{_account_root(account.id, organization_id)}/service-account={account.id}"
    item = _item("ServiceAccount", SERVICE_ACCOUNTS_PATH, account.id, crn)
    item["display_name"] = account.display_name
    return _with(item, description=account.description)


def user_item(user: SimulatedUser, organization_id: str) -> Item:
    """Return an item of the list of users."""
    crn = f"{_account_root(user.id, organization_id)}/user={user.id}"
    item = _item("User", USERS_PATH, user.id, crn)
    item["email"] = user.email
    return _with(item, full_name=user.full_name, auth_type=user.auth_type)


def environment_item(environment: SimulatedEnvironment, organization_id: str) -> Item:
    """Return an item of the list of environments."""
    crn = _place_crn(environment.id, organization_id)
    item = _item("Environment", ENVIRONMENTS_PATH, environment.id, crn)
    item["display_name"] = environment.name
    if environment.package:
        item["stream_governance_config"] = {"package": environment.package}
    return item


def organization_item(name: str, organization_id: str) -> Item:
    """Return the one item of the list of organizations; without its name if that is empty."""
    crn = f"{_CRN}/organization={organization_id}"
    item = _item("Organization", ORGANIZATIONS_PATH, organization_id, crn)
    item["jit_enabled"] = False
    return _with(item, display_name=name or None)


def kafka_cluster_item(cluster: SimulatedCluster, organization_id: str) -> Item:
    """Return an item of the list of Kafka clusters."""
    crn = _cluster_crn(cluster, "cloud-cluster", organization_id)
    dedicated = cluster.tier == "Dedicated"
    cku: Item = {"cku": _CKU} if dedicated else {}
    host = f"pkc-{cluster.id[-6:]}.{_domain(cluster)}"
    return _item("Cluster", KAFKA_CLUSTERS_PATH, cluster.id, crn) | {
        "spec": {
            "display_name": cluster.name,
            "availability": "MULTI_ZONE" if dedicated else "LOW",
            "cloud": cluster.cloud,
            "region": cluster.region,
            "config": {"kind": cluster.tier, **cku},
            "kafka_bootstrap_endpoint": f"SASL_SSL://{host}:9092",
            "http_endpoint": f"https://{host}:443",
            "deletion_protection": False,
            "environment": _place(cluster.environment_id, organization_id),
        },
        "status": {"phase": "PROVISIONED", **cku},
    }


def schema_registry_item(cluster: SimulatedCluster, organization_id: str) -> Item:
    """Return an item of the list of Schema Registry clusters."""
    crn = _cluster_crn(cluster, "schema-registry", organization_id)
    spec: Item = {
        "package": cluster.tier,
        "cloud": cluster.cloud,
        "region": cluster.region,
        "http_endpoint": f"https://psrc-{cluster.id[-6:]}.{_domain(cluster)}",
        "environment": _place(cluster.environment_id, organization_id),
    }
    item = _item("Cluster", SCHEMA_REGISTRIES_PATH, cluster.id, crn)
    item["spec"] = _with(spec, display_name=cluster.name or None)
    item["status"] = {"phase": "PROVISIONED"}
    return item


def ksql_cluster_item(cluster: SimulatedCluster, organization_id: str) -> Item:
    """Return an item of the list of ksqlDB clusters."""
    crn = _cluster_crn(cluster, "ksqldb", organization_id)
    place = _place(cluster.environment_id, organization_id)
    kafka_crn = f"{place['resource_name']}/cloud-cluster={cluster.kafka_cluster_id}"
    prefix = f"pksqlc-{cluster.id[-6:]}"
    return _item("Cluster", KSQL_CLUSTERS_PATH, cluster.id, crn) | {
        "spec": {
            "display_name": cluster.name,
            "use_detailed_processing_log": True,
            "csu": 4,
            "kafka_cluster": {
                **_reference(KAFKA_CLUSTERS_PATH, cluster.kafka_cluster_id, kafka_crn),
                "environment": cluster.environment_id,
            },
            "credential_identity": _reference(
                SERVICE_ACCOUNTS_PATH,
                cluster.identity_id,
                f"{_CRN}/service-account={cluster.identity_id}",
            ),
            "environment": place,
        },
        "status": {
            "http_endpoint": f"https://{prefix}.{_domain(cluster)}",
            "phase": "PROVISIONED",
            "is_paused": False,
            "storage": 500,
            "topic_prefix": prefix,
        },
    }


def region_item(region: SimulatedRegion, organization_id: str) -> Item:
    """Return an item of the list of regions, whose link to itself is empty."""
    del organization_id  # a region is everybody's
    cloud, _, name = region.id.partition(".")
    return {
        "api_version": "fcpm/v2",
        "kind": "Region",
        "id": region.id,
        "metadata": {"self": ""},
        "display_name": region.name,
        "cloud": cloud.upper(),
        "region_name": name,
        "http_endpoint": f"https://flink.{name}.{cloud}.confluent.cloud",
    }


def scope_item(scope: str, organization_id: str) -> Item:
    """Return an item of the list of scopes."""
    crn = f"{_CRN}/organization={organization_id}/scope={scope}"
    return {**_item("Scope", QUOTA_SCOPES_PATH, scope, crn), "description": SCOPES[scope]}


def quota_item(quota: SimulatedQuota, organization_id: str) -> Item:
    """Return an item of the list of applied quotas.

    The scope is in lower case, as responses were seen; who a quota applies to stands in ``user``
    even if it is a service account (facts §3).
    """
    root = f"{_CRN}/organization={organization_id}"
    item = _item("AppliedQuota", APPLIED_QUOTAS_PATH, quota.id, f"{root}/applied-quota={quota.id}")
    item |= {
        "scope": quota.scope.lower(),
        "display_name": CODES[quota.id].display_name,
        "default_limit": quota.default_limit,
        "applied_limit": quota.limit,
        "organization": _reference(ORGANIZATIONS_PATH, organization_id, root),
        "environment": None,
        "network": None,
        "kafka_cluster": None,
    }
    if quota.owner_id:
        service = quota.scope == "SERVICE_ACCOUNT"
        path, key = (SERVICE_ACCOUNTS_PATH, "service-account") if service else (USERS_PATH, "user")
        item["user"] = _reference(path, quota.owner_id, f"{root}/{key}={quota.owner_id}")
    if quota.environment_id:
        item["environment"] = _place(quota.environment_id, organization_id)
    if quota.resource_id:
        crn = (
            f"{_place_crn(quota.environment_id, organization_id)}/cloud-cluster={quota.resource_id}"
        )
        item["kafka_cluster"] = {
            **_reference(KAFKA_CLUSTERS_PATH, quota.resource_id, crn),
            "environment": quota.environment_id,
        }
    return _with(item, usage=quota.usage)


def _item(kind: str, path: str, identity: str, crn: str) -> Item:
    return {
        "api_version": "/".join(path.split("/")[1:3]),
        "kind": kind,
        "id": identity,
        "metadata": {"self": f"{ORIGIN}{path}/{identity}", "resource_name": crn},
    }


def _with(item: Item, **members: Json) -> Item:
    """Return ``item`` with those of the ``members`` that are not None."""
    return item | {name: value for name, value in members.items() if value is not None}


def _reference(path: str, identity: str, crn: str) -> Item:
    return {"id": identity, "related": f"{ORIGIN}{path}/{identity}", "resource_name": crn}


def _account_root(account_id: str, organization_id: str) -> str:
    """Return the beginning of an account's CRN, which not always names the organization."""
    named = crc32(account_id.encode()) % 4
    return f"{_CRN}/organization={organization_id}" if named else _CRN


def _place_crn(environment_id: str, organization_id: str) -> str:
    return f"{_CRN}/organization={organization_id}/environment={environment_id}"


def _place(environment_id: str, organization_id: str) -> Item:
    return _reference(
        ENVIRONMENTS_PATH, environment_id, _place_crn(environment_id, organization_id)
    )


def _cluster_crn(cluster: SimulatedCluster, key: str, organization_id: str) -> str:
    return f"{_place_crn(cluster.environment_id, organization_id)}/{key}={cluster.id}"


def _domain(cluster: SimulatedCluster) -> str:
    return f"{cluster.region}.{cluster.cloud.lower()}.confluent.cloud"
