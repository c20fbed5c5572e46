"""The usage of key quotas, counted from the keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.inventory.inventory import Inventory

_OF_OWNERS = ("per_user", "per_service_account")


def counted_usage(
    inventory: Inventory, quota_id: str, *, owner_id: str, cluster_id: str
) -> int | None:
    """Return the usage of a quota, counted from the keys, or None if it cannot be counted.

    ``owner_id`` and ``cluster_id`` identify the subject of the quota; empty if not applicable. See
    ``docs/confluent-cloud-api.md#quotas``.
    """
    what, _, per = quota_id.rpartition(".")
    match what:
        case "iam.max_cloud_api_keys" if per == "per_org":
            return inventory.cloud_keys
        case "iam.max_cloud_api_keys" if per in _OF_OWNERS and owner_id:
            return inventory.cloud_keys_by_owner.get(owner_id, 0)
        case "iam.max_cluster_api_keys" if per in _OF_OWNERS and owner_id:
            return inventory.cluster_keys_by_owner.get(owner_id, 0)
        case "kafka.max_api_keys" if per == "per_cluster" and cluster_id:
            return inventory.keys_by_kafka_cluster.get(cluster_id, 0)
        case _:
            return None
