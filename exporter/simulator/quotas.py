"""The applied quotas of an organization (``docs/confluent-cloud-api.md#quotas``).

Limits are those that organizations were seen with. An organization above the default limit gets a
multiple of it: limits are raised on request, and nobody exceeds one.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from exporter.simulator.model import SimulatedQuota

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from exporter.simulator.model import SimulatedCluster, SimulatedKey, SimulatedOwner

SCOPES = (
    "ORGANIZATION",
    "ENVIRONMENT",
    "NETWORK",
    "KAFKA_CLUSTER",
    "SERVICE_ACCOUNT",
    "USER_ACCOUNT",
    "IDENTITY_PROVIDER",
    "CERTIFICATE_AUTHORITY",
)
"""The documented scopes; half of them have no quota here."""
CODES: dict[str, tuple[str, int]] = {
    "iam.max_cloud_api_keys.per_org": ("ORGANIZATION", 1000),
    "iam.max_audit_log_api_keys.per_org": ("ORGANIZATION", 10_000),
    "iam.max_service_accounts.per_org": ("ORGANIZATION", 1000),
    "iam.max_users.per_org": ("ORGANIZATION", 1000),
    "iam.max_environments.per_org": ("ORGANIZATION", 25),
    "iam.max_kafka_clusters.per_org": ("ORGANIZATION", 400),
    "kafka.max_kafka_clusters.per_env": ("ENVIRONMENT", 20),
    "kafka.max_api_keys.per_cluster": ("KAFKA_CLUSTER", 2000),
    "iam.max_cloud_api_keys.per_user": ("USER_ACCOUNT", 10),
    "iam.max_cluster_api_keys.per_user": ("USER_ACCOUNT", 10),
    "iam.max_cloud_api_keys.per_service_account": ("SERVICE_ACCOUNT", 100),
    "iam.max_cluster_api_keys.per_service_account": ("SERVICE_ACCOUNT", 100),
}
"""The scope and the default limit of each quota code that was seen."""
_WITHOUT_USAGE = "iam.max_cluster_api_keys.per_service_account"
"""The code that was seen without its usage."""
_CLUSTER_KINDS = frozenset({"kafka", "schema-registry", "ksql"})
"""An assumption: which keys count as cluster keys of their owner is not published."""
_CLUSTER_LIMITS = {"Basic": 50, "Standard": 100, "Enterprise": 500, "Freight": 500}
"""Default limits of keys by tier, not verified. A Dedicated cluster has the code's limit."""


def applied_quotas(
    keys: Iterable[SimulatedKey],
    *,
    service_accounts: Collection[str],
    users: Collection[str],
    environments: Collection[str],
    clusters: Iterable[SimulatedCluster],
    audit_account: SimulatedOwner | None,
) -> Iterator[SimulatedQuota]:
    """Return the quotas of the organization and of every listed environment, cluster and account.

    ``service_accounts``, ``users`` and ``environments`` are ids.
    Whether the real API lists all accounts or only some is not known. All of them is the harder
    case for a client.
    """
    usage = _usage(keys, audit_account=audit_account)
    kafka_clusters = [cluster for cluster in clusters if cluster.kind == "kafka"]
    clusters_in = Counter(cluster.environment_id for cluster in kafka_clusters)
    yield _quota("iam.max_cloud_api_keys.per_org", usage["organization", "cloud"])
    yield _quota("iam.max_audit_log_api_keys.per_org", usage["organization", "audit"])
    yield _quota("iam.max_service_accounts.per_org", len(service_accounts))
    yield _quota("iam.max_users.per_org", len(users))
    yield _quota("iam.max_environments.per_org", len(environments))
    yield _quota("iam.max_kafka_clusters.per_org", len(kafka_clusters))
    for place in environments:
        yield _quota("kafka.max_kafka_clusters.per_env", clusters_in[place], environment_id=place)
    for cluster in kafka_clusters:
        yield _quota(
            "kafka.max_api_keys.per_cluster",
            usage["kafka", cluster.id],
            default_limit=_CLUSTER_LIMITS.get(cluster.tier),
            environment_id=cluster.environment_id,
            resource_id=cluster.id,
        )
    for kind, owners in (("user", users), ("service_account", service_accounts)):
        for owner in owners:
            for keys_of in ("cloud", "cluster"):
                code_id = f"iam.max_{keys_of}_api_keys.per_{kind}"
                yield _quota(code_id, usage[keys_of, owner], owner_id=owner)


def quota_sort_key(quota: SimulatedQuota) -> str:
    """Return the unique sort key of a quota: its code and what it applies to."""
    return f"{quota.id} {quota.owner_id} {quota.environment_id} {quota.resource_id}"


def _quota(
    code_id: str, usage: int, *, default_limit: int | None = None, **target: str
) -> SimulatedQuota:
    scope, limit = CODES[code_id]
    if default_limit is not None:
        limit = default_limit
    return SimulatedQuota(
        id=code_id,
        scope=scope,
        limit=limit * max(1, -(-usage // limit)),
        # A quota that was never used has no usage rather than 0.
        usage=usage if usage and code_id != _WITHOUT_USAGE else None,
        default_limit=limit,
        **target,
    )


def _usage(
    keys: Iterable[SimulatedKey], *, audit_account: SimulatedOwner | None
) -> Counter[tuple[str, str]]:
    """Return numbers of keys: ``cloud`` and ``cluster`` by owner, ``kafka`` by cluster.

    ``organization`` has the totals of ``cloud`` and ``audit``.
    """
    usage: Counter[tuple[str, str]] = Counter()
    for key in keys:
        owner_id = "" if key.owner is None else key.owner.id
        kinds = {resource.kind for resource in key.resources}
        if "cloud" in kinds:
            usage["organization", "cloud"] += 1
            usage["cloud", owner_id] += 1
        if not kinds.isdisjoint(_CLUSTER_KINDS):
            usage["cluster", owner_id] += 1
        if key.owner is not None and key.owner == audit_account:
            usage["organization", "audit"] += 1
        for resource in key.resources:
            if resource.kind == "kafka":
                usage["kafka", resource.id] += 1
    return usage
