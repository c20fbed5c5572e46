"""Names and places of the owners and resources of an organization."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Cluster(NamedTuple):
    """A cluster as listed by the API."""

    name: str
    environment_id: str


def _nothing() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True)
class Directory:
    """Names by id. Parts that could not be listed are from the previous listing."""

    service_accounts: Mapping[str, str] = field(default_factory=_nothing)
    users: Mapping[str, str] = field(default_factory=_nothing)
    environments: Mapping[str, str] = field(default_factory=_nothing)
    clusters: Mapping[str, Cluster] = field(default_factory=lambda: MappingProxyType({}))
    """Kafka, Schema Registry and ksqlDB clusters."""
    regions: Mapping[str, str] = field(default_factory=_nothing)
    organization_id: str = ""
    organization_name: str = ""
    complete: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """By kind of owner, if its listing was complete: the Unix time at which the listing began.

    An owner that existed then and is not in the listing was deleted.
    """

    def owners(self, kind: str) -> Mapping[str, str]:
        """Return the names by id of the listed owners of ``kind``, a key of ``complete``."""
        return self.users if kind == "user" else self.service_accounts

    def owner_name(self, owner_id: str) -> str | None:
        """Return the name of a service account or user, or None if unknown."""
        return self.service_accounts.get(owner_id) or self.users.get(owner_id)

    def resource_name(self, resource_id: str) -> str | None:
        """Return the name of a cluster or region, or None if unknown."""
        cluster = self.clusters.get(resource_id)
        return (cluster.name if cluster else self.regions.get(resource_id)) or None
