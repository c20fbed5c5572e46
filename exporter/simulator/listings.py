"""The table of the listings that are served: what each shows, and its filters (facts §1.1, §2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from exporter.simulator import items, paths
from exporter.simulator.listing import Endpoint
from exporter.simulator.quotas import SCOPES
from exporter.simulator.records import PLACELESS_KINDS
from exporter.simulator.register import Register
from exporter.simulator.spelling import item_of, spelled_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from exporter.simulator.listing import Seen
    from exporter.simulator.query import Filters
    from exporter.simulator.records import (
        SimulatedCluster,
        SimulatedKey,
        SimulatedQuota,
        SimulatedRegion,
        SimulatedServiceAccount,
    )
    from exporter.simulator.spelling import Item

T = TypeVar("T")

_QUOTA_PAGE_SIZE = 200
_SCOPES = Register(SCOPES, name=str)
_FILTERS_WITHOUT_MATCH = ("network", "identity_provider", "certificate_authority")
"""Of quotas: documented, and nothing of the kind exists here."""


def _key_matcher(filters: Filters) -> Seen[SimulatedKey]:
    if not filters:
        return None
    (owner,) = filters.get("spec.owner", (None,))
    (resource,) = filters.get("spec.resource", (None,))
    return lambda key: (
        (owner is None or (key.owner is not None and key.owner.id == owner))
        and (resource is None or _opens(key, resource))
    )


def _opens(key: SimulatedKey, wanted: str) -> bool:
    """Whether ``wanted`` is the id of one of the key's resources, as it is or as it is spelled."""
    if wanted.lower() in PLACELESS_KINDS:
        return any(resource.kind == wanted.lower() for resource in key.resources)
    return any(
        wanted in {resource.id, spelled_id(resource, key.spelling)} for resource in key.resources
    )


def _named(filters: Filters) -> Seen[SimulatedServiceAccount]:
    names = filters.get("display_name")
    return None if names is None else lambda account: account.display_name in names


def _clusters_of(kind: str) -> Callable[[Filters], Seen[SimulatedCluster]]:
    def matcher(filters: Filters) -> Seen[SimulatedCluster]:
        (place,) = filters["environment"]
        # No cluster here has a network, or is protected.
        if "spec.network" in filters or "true" in filters.get("spec.deletion_protection", ()):
            return lambda _: False
        return lambda cluster: cluster.kind == kind and cluster.environment_id == place

    return matcher


def _region_matcher(filters: Filters) -> Seen[SimulatedRegion]:
    if not filters:
        return None
    (cloud,) = filters.get("cloud", ("",))
    (name,) = filters.get("region_name", ("",))
    parts = (cloud.lower(), name)
    return lambda region: all(
        not wanted or wanted == part
        for wanted, part in zip(parts, region.id.split(".", 1), strict=True)
    )


def _quota_matcher(filters: Filters) -> Seen[SimulatedQuota]:
    if any(name in filters for name in _FILTERS_WITHOUT_MATCH):
        return lambda _: False
    scope = filters["scope"][0].upper()
    (code,) = filters.get("id", (None,))
    (place,) = filters.get("environment", (None,))
    (cluster,) = filters.get("kafka_cluster", (None,))
    return lambda quota: (
        quota.scope == scope
        and code in {None, quota.id}
        and place in {None, quota.environment_id}
        and cluster in {None, quota.resource_id}
    )


def _clusters(
    path: str, kind: str, item: Callable[[SimulatedCluster, str], Item], *filters: str
) -> Endpoint[SimulatedCluster]:
    return Endpoint(
        path,
        "Cluster",
        "Clusters",
        lambda organization: organization.directory.clusters,
        item,
        matcher=_clusters_of(kind),
        filters=("environment", *filters),
        repeatable=("spec.network",),
        required="environment",
        choices={"spec.deletion_protection": ("TRUE", "FALSE")},
        tells_total_size=kind != "kafka",
    )


API_KEYS = Endpoint(
    paths.API_KEYS_PATH,
    "ApiKey",
    "API keys",
    lambda organization: organization.key_register,
    lambda key, organization_id: item_of(key, organization_id=organization_id),
    matcher=_key_matcher,
    filters=("spec.owner", "spec.resource"),
)
_TABLE: tuple[Endpoint[Any], ...] = (
    API_KEYS,
    Endpoint(
        paths.SERVICE_ACCOUNTS_PATH,
        "ServiceAccount",
        "Service accounts",
        lambda organization: organization.directory.service_accounts,
        items.service_account_item,
        matcher=_named,
        filters=("display_name",),
        repeatable=("display_name",),
    ),
    Endpoint(
        paths.USERS_PATH,
        "User",
        "Users",
        lambda organization: organization.directory.users,
        items.user_item,
    ),
    Endpoint(
        paths.ENVIRONMENTS_PATH,
        "Environment",
        "Environments",
        lambda organization: organization.directory.environments,
        items.environment_item,
    ),
    Endpoint(
        paths.ORGANIZATIONS_PATH,
        "Organization",
        "Organizations",
        lambda organization: Register([organization.name], name=lambda _: organization.id),
        items.organization_item,
    ),
    _clusters(
        paths.KAFKA_CLUSTERS_PATH,
        "kafka",
        items.kafka_cluster_item,
        "spec.deletion_protection",
        "spec.network",
    ),
    _clusters(paths.SCHEMA_REGISTRIES_PATH, "schema-registry", items.schema_registry_item),
    _clusters(paths.KSQL_CLUSTERS_PATH, "ksql", items.ksql_cluster_item),
    Endpoint(
        paths.REGIONS_PATH,
        "Region",
        "Regions",
        lambda organization: organization.directory.regions,
        items.region_item,
        matcher=_region_matcher,
        filters=("cloud", "region_name"),
        tells_total_size=True,
    ),
    Endpoint(
        paths.APPLIED_QUOTAS_PATH,
        "AppliedQuota",
        "Applied quotas",
        lambda organization: organization.quota_register,
        items.quota_item,
        matcher=_quota_matcher,
        filters=("scope", "environment", "kafka_cluster", "id", *_FILTERS_WITHOUT_MATCH),
        required="scope",
        choices={"scope": tuple(SCOPES)},
        max_page_size=_QUOTA_PAGE_SIZE,
    ),
    Endpoint(
        paths.QUOTA_SCOPES_PATH,
        "Scope",
        "Scopes",
        lambda _: _SCOPES,
        items.scope_item,
        max_page_size=_QUOTA_PAGE_SIZE,
    ),
)
ENDPOINTS: dict[str, Endpoint[Any]] = {endpoint.path: endpoint for endpoint in _TABLE}
"""Every listing by its path."""
