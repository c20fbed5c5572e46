"""Who and what there is in an organization, as far as it could be listed."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Cluster(NamedTuple):
    """A cluster by its listing. ``kind`` as in :class:`~exporter.inventory.keys.Resource`."""

    name: str
    environment_id: str


def _nothing() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True)
class Directory:
    """Names by id. What could not be listed this time is as it was listed before."""

    service_accounts: Mapping[str, str] = field(default_factory=_nothing)
    users: Mapping[str, str] = field(default_factory=_nothing)
    environments: Mapping[str, str] = field(default_factory=_nothing)
    clusters: Mapping[str, Cluster] = field(default_factory=lambda: MappingProxyType({}))
    """Kafka, Schema Registry and ksqlDB clusters."""
    regions: Mapping[str, str] = field(default_factory=_nothing)
    organization_id: str = ""
    organization_name: str = ""
    complete: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Of each kind of owner whose listing was complete: the Unix time at which it began.

    An owner that is not in it is gone, unless it is younger than that.
    """

    def owners(self, kind: str) -> Mapping[str, str]:
        """Return the names by id of all owners of a ``kind`` that ``complete`` may have."""
        return self.users if kind == "user" else self.service_accounts

    def owner_name(self, owner_id: str) -> str | None:
        """Return the name of a service account or user, None if it is not known."""
        return self.service_accounts.get(owner_id) or self.users.get(owner_id)

    def resource_name(self, resource_id: str) -> str | None:
        """Return the name of a cluster or region, None if it is not known."""
        cluster = self.clusters.get(resource_id)
        return (cluster.name if cluster else self.regions.get(resource_id)) or None
