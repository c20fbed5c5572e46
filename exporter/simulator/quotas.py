"""The applied quotas of an organization, worked out from its records (facts §3).

Limits are those that organizations were seen with. Where an organization has more than the default
allows, the default is multiplied: a limit is raised for whoever asks, and nobody exceeds it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.simulator.records import SimulatedQuota

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exporter.simulator.organization import SimulatedOrganization

CLUSTER_KINDS = frozenset({"kafka", "schema-registry", "ksql"})
"""Kinds of resources whose keys count as their owner's cluster keys; which do, is not published."""

SCOPES: dict[str, str] = {
    "ORGANIZATION": "Quotas of the whole organization",
    "ENVIRONMENT": "Quotas of each environment",
    "NETWORK": "Quotas of each network",
    "KAFKA_CLUSTER": "Quotas of each Kafka cluster",
    "SERVICE_ACCOUNT": "Quotas of each service account",
    "USER_ACCOUNT": "Quotas of each user",
    "IDENTITY_PROVIDER": "Quotas of each identity provider",
    "CERTIFICATE_AUTHORITY": "Quotas of each certificate authority",
}
"""The scopes and what is said of them; half of them have no quota here."""


@dataclass(frozen=True)
class Code:
    """A quota code. ``reported`` False: its usage is not told (facts §3)."""

    id: str
    scope: str
    display_name: str
    limit: int
    reported: bool = True


CODES: dict[str, Code] = {
    code.id: code
    for code in (
        Code("iam.max_cloud_api_keys.per_org", "ORGANIZATION", "Max Cloud API Keys Per Org", 1000),
        Code(
            "iam.max_audit_log_api_keys.per_org",
            "ORGANIZATION",
            "Max Audit Log API Keys Per Org",
            10_000,
        ),
        Code(
            "iam.max_service_accounts.per_org", "ORGANIZATION", "Max Service Accounts Per Org", 1000
        ),
        Code("iam.max_users.per_org", "ORGANIZATION", "Max Users Per Org", 1000),
        Code("iam.max_environments.per_org", "ORGANIZATION", "Max Environments Per Org", 25),
        Code("iam.max_kafka_clusters.per_org", "ORGANIZATION", "Max Kafka Clusters Per Org", 400),
        Code("kafka.max_kafka_clusters.per_env", "ENVIRONMENT", "Max Kafka Clusters Per Env", 20),
        Code("kafka.max_api_keys.per_cluster", "KAFKA_CLUSTER", "Max API Keys Per Cluster", 2000),
        # The name is wrong on purpose: one organization was seen with it.
        Code(
            "iam.max_cloud_api_keys.per_user", "USER_ACCOUNT", "Max Kafka API Keys Per User", 10
        ),
        Code(
            "iam.max_cluster_api_keys.per_user", "USER_ACCOUNT", "Max Cluster API Keys Per User", 10
        ),
        Code(
            "iam.max_cloud_api_keys.per_service_account",
            "SERVICE_ACCOUNT",
            "Max Cloud API Keys Per Service Account",
            100,
        ),
        Code(
            "iam.max_cluster_api_keys.per_service_account",
            "SERVICE_ACCOUNT",
            "Max Cluster API Keys Per Service Account",
            100,
            reported=False,
        ),
    )
}  # fmt: skip
"""Every code that is known, by its id."""

_LIMITS_OF_CLUSTERS = {"Basic": 50, "Standard": 100, "Enterprise": 500, "Freight": 500}
"""Not verified (facts §3); clients must not know them. A Dedicated cluster has the code's limit."""


def quotas_of(organization: SimulatedOrganization) -> Iterator[SimulatedQuota]:
    """Return the quotas of ``organization``: of itself and of everybody and everything listed.

    Whether the real API lists all principals or only some is not known (facts §3); all of them is
    what a client has to be able to bear.
    """
    counts = _count(organization)
    directory = organization.directory
    clusters = [c for c in directory.clusters.snapshot().values() if c.kind == "kafka"]
    for code, usage in (
        ("iam.max_cloud_api_keys.per_org", counts.cloud.total()),
        ("iam.max_audit_log_api_keys.per_org", counts.audit),
        ("iam.max_service_accounts.per_org", len(directory.service_accounts)),
        ("iam.max_users.per_org", len(directory.users)),
        ("iam.max_environments.per_org", len(directory.environments)),
        ("iam.max_kafka_clusters.per_org", len(clusters)),
    ):
        yield _quota(code, usage)
    populations = Counter(cluster.environment_id for cluster in clusters)
    for place in directory.environments.snapshot():
        yield _quota("kafka.max_kafka_clusters.per_env", populations[place], environment_id=place)
    for cluster in clusters:
        yield _quota(
            "kafka.max_api_keys.per_cluster",
            counts.kafka[cluster.id],
            default=_LIMITS_OF_CLUSTERS.get(cluster.tier),
            environment_id=cluster.environment_id,
            resource_id=cluster.id,
        )
    yield from _of_owners("user", directory.users.snapshot(), counts)
    yield from _of_owners("service_account", directory.service_accounts.snapshot(), counts)


def name_of_quota(quota: SimulatedQuota) -> str:
    """Return what orders the quotas: a code is not unique, a code and what it applies to is."""
    return f"{quota.id} {quota.owner_id} {quota.environment_id} {quota.resource_id}"


def _of_owners(kind: str, owners: Iterable[str], counts: _Counts) -> Iterator[SimulatedQuota]:
    for owner_id in owners:
        cloud, cluster = counts.cloud[owner_id], counts.cluster[owner_id]
        yield _quota(f"iam.max_cloud_api_keys.per_{kind}", cloud, owner_id=owner_id)
        yield _quota(f"iam.max_cluster_api_keys.per_{kind}", cluster, owner_id=owner_id)


def _quota(
    code_id: str,
    usage: int,
    *,
    default: int | None = None,
    owner_id: str = "",
    environment_id: str = "",
    resource_id: str = "",
) -> SimulatedQuota:
    code = CODES[code_id]
    limit = code.limit if default is None else default
    return SimulatedQuota(
        id=code_id,
        scope=code.scope,
        limit=limit * max(1, -(-usage // limit)),
        # A quota that was never used reports no usage rather than zero (facts §3).
        usage=usage if usage and code.reported else None,
        owner_id=owner_id,
        environment_id=environment_id,
        resource_id=resource_id,
        default_limit=limit,
    )


@dataclass
class _Counts:
    """Numbers of keys: by owner for Cloud and clusters, by cluster for Kafka."""

    cloud: Counter[str]
    cluster: Counter[str]
    kafka: Counter[str]
    audit: int = 0


def _count(organization: SimulatedOrganization) -> _Counts:
    counts = _Counts(Counter(), Counter(), Counter())
    audit = organization.estate.audit_account
    for key in organization.keys.values():
        owner_id = "" if key.owner is None else key.owner.id
        kinds = {resource.kind for resource in key.resources}
        if "cloud" in kinds:
            counts.cloud[owner_id] += 1
        if not kinds.isdisjoint(CLUSTER_KINDS):
            counts.cluster[owner_id] += 1
        counts.kafka.update(r.id for r in key.resources if r.kind == "kafka")
        if audit is not None and owner_id == audit.id:
            counts.audit += 1
    return counts
