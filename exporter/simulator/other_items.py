"""Renders all records but keys as the JSON items of their listings.

See ``docs/confluent-cloud-api.md#names`` and ``#quotas``. Members that neither the API requires nor
the exporter reads are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.simulator import paths
from exporter.simulator.key_items import ORIGIN

if TYPE_CHECKING:
    from exporter.simulator.key_items import Item, Json
    from exporter.simulator.model import (
        SimulatedCluster,
        SimulatedEnvironment,
        SimulatedQuota,
        SimulatedRegion,
        SimulatedServiceAccount,
        SimulatedUser,
    )

_SEGMENTS = {
    paths.SERVICE_ACCOUNTS_PATH: "service-account",
    paths.USERS_PATH: "user",
    paths.ENVIRONMENTS_PATH: "environment",
    paths.KAFKA_CLUSTERS_PATH: "cloud-cluster",
    paths.SCHEMA_REGISTRIES_PATH: "schema-registry",
    paths.KSQL_CLUSTERS_PATH: "ksqldb",
    paths.APPLIED_QUOTAS_PATH: "applied-quota",
    paths.QUOTA_SCOPES_PATH: "scope",
}
"""The segments of CRNs by path."""


def service_account_item(account: SimulatedServiceAccount, organization_id: str) -> Item:
    """Return an item of the list of service accounts."""
    item = _item("ServiceAccount", paths.SERVICE_ACCOUNTS_PATH, account.id, organization_id)
    return _with(item, display_name=account.display_name, description=account.description)


def user_item(user: SimulatedUser, organization_id: str) -> Item:
    """Return an item of the list of users."""
    item = _item("User", paths.USERS_PATH, user.id, organization_id)
    return _with(item, email=user.email, full_name=user.full_name, auth_type=user.auth_type)


def environment_item(environment: SimulatedEnvironment, organization_id: str) -> Item:
    """Return an item of the list of environments."""
    return _with(
        _item("Environment", paths.ENVIRONMENTS_PATH, environment.id, organization_id),
        display_name=environment.name,
        stream_governance_config={"package": environment.package} if environment.package else None,
    )


def organization_item(name: str, organization_id: str) -> Item:
    """Return the one item of the list of organizations, without its name if that is empty."""
    item = _item("Organization", paths.ORGANIZATIONS_PATH, organization_id, organization_id)
    return _with(item, jit_enabled=False, display_name=name or None)


def kafka_cluster_item(cluster: SimulatedCluster, organization_id: str) -> Item:
    """Return an item of the list of Kafka clusters."""
    dedicated = cluster.tier == "Dedicated"
    return _cluster_item(
        paths.KAFKA_CLUSTERS_PATH,
        cluster,
        organization_id,
        display_name=cluster.name,
        availability="MULTI_ZONE" if dedicated else "LOW",
        cloud=cluster.cloud,
        region=cluster.region,
        config=_with({"kind": cluster.tier}, cku=2 if dedicated else None),
    )


def schema_registry_item(cluster: SimulatedCluster, organization_id: str) -> Item:
    """Return an item of the list of Schema Registry clusters."""
    return _cluster_item(
        paths.SCHEMA_REGISTRIES_PATH,
        cluster,
        organization_id,
        display_name=cluster.name or None,
        package=cluster.tier,
        cloud=cluster.cloud,
        region=cluster.region,
    )


def ksql_cluster_item(cluster: SimulatedCluster, organization_id: str) -> Item:
    """Return an item of the list of ksqlDB clusters."""
    item = _cluster_item(
        paths.KSQL_CLUSTERS_PATH,
        cluster,
        organization_id,
        display_name=cluster.name,
        csu=4,
        kafka_cluster=_kafka_cluster(
            cluster.kafka_cluster_id, cluster.environment_id, organization_id
        ),
        credential_identity=_reference(
            paths.SERVICE_ACCOUNTS_PATH, cluster.identity_id, organization_id
        ),
    )
    return item | {"status": {"phase": "PROVISIONED", "is_paused": False, "storage": 500}}


def region_item(region: SimulatedRegion, organization_id: str) -> Item:
    """Return an item of the list of regions. Its link to itself is empty, as was seen."""
    del organization_id  # regions are the same for all organizations
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
    item = _item("Scope", paths.QUOTA_SCOPES_PATH, scope, organization_id)
    return _with(item, description=f"Quotas of the scope {scope}")


def quota_item(quota: SimulatedQuota, organization_id: str) -> Item:
    """Return an item of the list of applied quotas.

    As seen in practice, the scope is in lower case, and ``user`` refers to service accounts too.
    """
    owner_path = paths.USERS_PATH
    if quota.scope == "SERVICE_ACCOUNT":
        owner_path = paths.SERVICE_ACCOUNTS_PATH
    owner, environment, resource = quota.owner_id, quota.environment_id, quota.resource_id
    item = _item("AppliedQuota", paths.APPLIED_QUOTAS_PATH, quota.id, organization_id) | {
        "scope": quota.scope.lower(),
        "display_name": quota.id,
        "default_limit": quota.default_limit,
        "applied_limit": quota.limit,
        "organization": _reference(paths.ORGANIZATIONS_PATH, organization_id, organization_id),
        "environment": _environment(environment, organization_id) if environment else None,
        "network": None,
        "kafka_cluster": None,
    }
    if owner:
        item["user"] = _reference(owner_path, owner, organization_id)
    if resource:
        item["kafka_cluster"] = _kafka_cluster(resource, environment, organization_id)
    return _with(item, usage=quota.usage)


def _item(
    kind: str, path: str, identity: str, organization_id: str, environment_id: str = ""
) -> Item:
    reference = _reference(path, identity, organization_id, environment_id)
    return {
        "api_version": "/".join(path.split("/")[1:3]),
        "kind": kind,
        "id": identity,
        "metadata": {"self": reference["related"], "resource_name": reference["resource_name"]},
    }


def _cluster_item(path: str, cluster: SimulatedCluster, organization_id: str, **spec: Json) -> Item:
    environment_id = cluster.environment_id
    spec["environment"] = _environment(environment_id, organization_id)
    item = _item("Cluster", path, cluster.id, organization_id, environment_id)
    return item | {"spec": _with({}, **spec), "status": {"phase": "PROVISIONED"}}


def _with(item: Item, **members: Json) -> Item:
    """Return ``item`` with those of the ``members`` that are not None."""
    return item | {name: value for name, value in members.items() if value is not None}


def _reference(path: str, identity: str, organization_id: str, environment_id: str = "") -> Item:
    crn = f"crn://confluent.cloud/organization={organization_id}"
    if environment_id:
        crn += f"/environment={environment_id}"
    if path in _SEGMENTS:
        crn += f"/{_SEGMENTS[path]}={identity}"
    return {"id": identity, "related": f"{ORIGIN}{path}/{identity}", "resource_name": crn}


def _environment(environment_id: str, organization_id: str) -> Item:
    return _reference(paths.ENVIRONMENTS_PATH, environment_id, organization_id)


def _kafka_cluster(cluster_id: str, environment_id: str, organization_id: str) -> Item:
    path = paths.KAFKA_CLUSTERS_PATH
    reference = _reference(path, cluster_id, organization_id, environment_id)
    return reference | {"environment": environment_id}
