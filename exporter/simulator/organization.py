"""A simulated organization that can be changed at any time, and used without HTTP."""

from __future__ import annotations

import uuid
from collections import defaultdict
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from exporter.simulator.model import (
    SimulatedCluster,
    SimulatedEnvironment,
    SimulatedKey,
    SimulatedRegion,
    SimulatedServiceAccount,
    SimulatedUser,
)
from exporter.simulator.quotas import applied_quotas, quota_sort_key
from exporter.simulator.records import Records
from exporter.simulator.usage import SimulatedUsage

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from exporter.simulator.model import Record, SimulatedOwner, SimulatedQuota, SimulatedResource

_KEY_ID_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_KEY_ID_LENGTH = 16  # seen in practice; the provider promises nothing


@dataclass(frozen=True)
class Entities:
    """The owners and resources of a seeded organization, grouped by what tests need them for."""

    environments: tuple[str, ...] = ()
    resources: tuple[SimulatedResource, ...] = ()
    """Clusters and regions in those environments."""
    service_accounts: tuple[SimulatedOwner, ...] = ()
    users: tuple[SimulatedOwner, ...] = ()
    idle_service_accounts: tuple[SimulatedOwner, ...] = ()
    idle_users: tuple[SimulatedOwner, ...] = ()
    """Listed accounts without any key."""
    idle_clusters: tuple[SimulatedResource, ...] = ()
    """Listed Kafka clusters that no key gives access to."""
    deleted_service_accounts: tuple[SimulatedOwner, ...] = ()
    deactivated_users: tuple[SimulatedOwner, ...] = ()
    """Unlisted owners of keys (``docs/confluent-cloud-api.md#owner-kinds``)."""
    audit_account: SimulatedOwner | None = None
    """The unlisted service account that owns the keys for the audit log."""
    audit_cluster: SimulatedResource | None = None
    """The unlisted cluster that the provider runs for the audit log, in no environment."""


class SimulatedOrganization:
    """The records of an organization: API keys, accounts, environments, clusters and regions.

    Each kind of record can be changed at any time; deleting an account or a cluster leaves its
    keys. The same ``seed`` and the same calls give the same ids. ``id``: a UUID, drawn if not
    given. ``name``: the display name, left out where it is empty. ``usage``: who makes requests to
    its Kafka clusters; by default nobody.
    """

    def __init__(
        self,
        records: Iterable[Record] = (),
        *,
        seed: int = 0,
        id: str | None = None,  # noqa: A002 # the field's name in the API
        name: str = "",
        entities: Entities | None = None,
        usage: SimulatedUsage | None = None,
    ) -> None:
        self._random = Random(f"organization {seed}")
        drawn = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        self.id = drawn if id is None else id
        self.name = name
        self.entities = Entities() if entities is None else entities
        self.usage = SimulatedUsage() if usage is None else usage
        by_type: dict[type, list[Any]] = defaultdict(list)
        for record in records:
            by_type[type(record)].append(record)
        self.keys: Records[SimulatedKey] = Records(by_type[SimulatedKey])
        self.service_accounts: Records[SimulatedServiceAccount] = Records(
            by_type[SimulatedServiceAccount]
        )
        self.users: Records[SimulatedUser] = Records(by_type[SimulatedUser])
        self.environments: Records[SimulatedEnvironment] = Records(by_type[SimulatedEnvironment])
        self.clusters: Records[SimulatedCluster] = Records(by_type[SimulatedCluster])
        self.regions: Records[SimulatedRegion] = Records(by_type[SimulatedRegion])
        self._by_type: dict[type, Records[Any]] = {
            SimulatedKey: self.keys,
            SimulatedServiceAccount: self.service_accounts,
            SimulatedUser: self.users,
            SimulatedEnvironment: self.environments,
            SimulatedCluster: self.clusters,
            SimulatedRegion: self.regions,
        }
        self._quotas: Records[SimulatedQuota] = Records()
        self._quotas_as_of = -1

    def records(self) -> list[Record]:
        """Return all records."""
        return [record for records in self._by_type.values() for record in records.values()]

    @property
    def quota_records(self) -> Records[SimulatedQuota]:
        """The applied quotas of all scopes, computed from the current records."""
        changes = sum(records.changes for records in self._by_type.values())
        if self._quotas_as_of != changes:
            quotas = applied_quotas(
                self.keys.values(),
                service_accounts=self.service_accounts,
                users=self.users,
                environments=self.environments,
                clusters=self.clusters.values(),
                audit_account=self.entities.audit_account,
            )
            self._quotas = Records(quotas, sort_key=quota_sort_key)
            self._quotas_as_of = changes
        return self._quotas

    def quotas(self) -> list[SimulatedQuota]:
        """Return the applied quotas of all scopes in the order of the listing."""
        return list(self.quota_records.values())

    def create(
        self,
        *,
        owner: SimulatedOwner | None,
        resources: tuple[SimulatedResource, ...],
        now: float,
        expires_at: float | None = None,
        display_name: str | None = "",
        description: str | None = "",
    ) -> SimulatedKey:
        """Add a key with an id of its own, created at the Unix time ``now``, and return it."""
        created_at = round(now, 6)
        key = SimulatedKey(
            id=draw_key_id(self._random, self.keys),
            owner=owner,
            resources=resources,
            created_at=created_at,
            updated_at=created_at,
            expires_at=expires_at,
            display_name=display_name,
            description=description,
        )
        self.keys.add(key)
        return key

    def add(self, record: Record) -> None:
        """Add a record of any kind. Raises ``ValueError`` if its kind has that id already."""
        self._by_type[type(record)].add(record)

    def replace(self, record: Record) -> None:
        """Replace the record of its kind and id. Raises ``KeyError`` if there is none."""
        self._by_type[type(record)].replace(record)

    def delete(self, key_id: str) -> SimulatedKey:
        """Remove and return a key. Raises ``KeyError`` if there is none."""
        return self.keys.remove(key_id)

    def remove_environment(self, environment_id: str) -> None:
        """Remove an environment and its clusters. Raises ``KeyError`` if there is none."""
        self.environments.remove(environment_id)
        for cluster in list(self.clusters.values()):
            if cluster.environment_id == environment_id:
                self.clusters.remove(cluster.id)


def draw_key_id(random: Random, taken: Container[str]) -> str:
    """Return an id in the provider's format that is not in ``taken``."""
    while True:
        key_id = "".join(random.choices(_KEY_ID_ALPHABET, k=_KEY_ID_LENGTH))
        if key_id not in taken:
            return key_id
