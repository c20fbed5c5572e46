"""The mutable organization that holds the records, usable without HTTP."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from exporter.simulator.directory import Directory
from exporter.simulator.quotas import name_of_quota, quotas_of
from exporter.simulator.records import SimulatedKey, Spelling
from exporter.simulator.register import Register

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from exporter.simulator.records import (
        SimulatedCluster,
        SimulatedEnvironment,
        SimulatedOwner,
        SimulatedQuota,
        SimulatedRegion,
        SimulatedResource,
        SimulatedUser,
    )

_KEY_ID_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_KEY_ID_LENGTH = 16  # in practice; the provider promises nothing (facts §1.3)


@dataclass(frozen=True)
class Estate:
    """Who and what an organization consists of, besides its keys."""

    environments: tuple[str, ...] = ()
    resources: tuple[SimulatedResource, ...] = ()
    """Clusters and regions in those environments."""
    service_accounts: tuple[SimulatedOwner, ...] = ()
    users: tuple[SimulatedOwner, ...] = ()
    idle_service_accounts: tuple[SimulatedOwner, ...] = ()
    idle_users: tuple[SimulatedOwner, ...] = ()
    """As ``service_accounts`` and ``users``, but without any key."""
    idle_clusters: tuple[SimulatedResource, ...] = ()
    """Kafka clusters that no key is for."""
    deleted_service_accounts: tuple[SimulatedOwner, ...] = ()
    """Own keys still, and are in no list of service accounts (facts §5.3)."""
    deactivated_users: tuple[SimulatedOwner, ...] = ()
    """Own keys still, and are in no list of users (facts §1.4)."""
    audit_account: SimulatedOwner | None = None
    """Owns the keys for the audit log; in no list of service accounts (facts §1.4)."""
    audit_cluster: SimulatedResource | None = None
    """Run by the provider, in no environment (facts §1.5)."""


class SimulatedOrganization:
    """An organization's keys in the order in which the API lists them, by id, and its directory.

    The same ``seed`` and the same calls give the same ids. ``id``: a UUID, drawn if not given.
    ``directory``: what the other listings show; an empty one if it is not given.
    """

    def __init__(
        self,
        keys: Iterable[SimulatedKey] = (),
        *,
        seed: int = 0,
        id: str | None = None,  # noqa: A002 # the field's name in the API
        estate: Estate | None = None,
        directory: Directory | None = None,
    ) -> None:
        self._random = Random(f"organization {seed}")
        drawn = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        self.id = drawn if id is None else id
        self.estate = Estate() if estate is None else estate
        self.directory = Directory() if directory is None else directory
        self.key_register = Register(keys)
        self._quotas: Register[SimulatedQuota] = Register()
        self._quotas_as_of: tuple[int, int] | None = None

    def __len__(self) -> int:
        return len(self.key_register)

    def __contains__(self, key_id: object) -> bool:
        return key_id in self.key_register

    @property
    def keys(self) -> dict[str, SimulatedKey]:
        """The keys by id, in the order of the listing.

        A snapshot: the organization changes through its methods, never through this.
        """
        return self.key_register.snapshot()

    @property
    def name(self) -> str:
        """Its display name; empty if it shows none."""
        return self.directory.name

    @property
    def service_accounts(self) -> dict[str, str]:
        """The display names of the service accounts that are listed, by id."""
        listed = self.directory.service_accounts.snapshot()
        return {account.id: account.display_name for account in listed.values()}

    @property
    def users(self) -> dict[str, SimulatedUser]:
        """The users that are listed, by id; a snapshot, as are those that follow."""
        return self.directory.users.snapshot()

    @property
    def environments(self) -> dict[str, SimulatedEnvironment]:
        """The environments, by id."""
        return self.directory.environments.snapshot()

    @property
    def clusters(self) -> dict[str, SimulatedCluster]:
        """The clusters of all kinds in all environments, by id."""
        return self.directory.clusters.snapshot()

    @property
    def regions(self) -> dict[str, SimulatedRegion]:
        """The regions that offer Flink, by id, whether or not a key is for one."""
        return self.directory.regions.snapshot()

    def quotas(self) -> list[SimulatedQuota]:
        """Return the applied quotas of all scopes, in the order in which they are listed."""
        return list(self.quota_register.snapshot().values())

    @property
    def quota_register(self) -> Register[SimulatedQuota]:
        """The same as a register; worked out from the records as they are now."""
        as_of = (self.key_register.changes, self.directory.changes)
        if self._quotas_as_of != as_of:
            self._quotas = Register(quotas_of(self), name=name_of_quota)
            self._quotas_as_of = as_of
        return self._quotas

    def key(self, key_id: str) -> SimulatedKey:
        """Return the key with that id. Raises ``KeyError``."""
        return self.key_register[key_id]

    def key_at(self, index: int) -> SimulatedKey:
        """Return the key at a place of the listing, counted from 0. Raises ``IndexError``."""
        return self.key_register.at(index)

    def after(self, key_id: str) -> Iterator[SimulatedKey]:
        """Return the keys that are listed behind ``key_id``, whether or not that one exists."""
        return self.key_register.after(key_id)

    def create(
        self,
        *,
        owner: SimulatedOwner | None,
        resources: tuple[SimulatedResource, ...],
        now: float,
        expires_at: float | None = None,
        display_name: str | None = "",
        description: str | None = "",
        spelling: Spelling = Spelling.CURRENT,
    ) -> SimulatedKey:
        """Add a key with an id of its own, created at the Unix time ``now``, and return it."""
        created_at = round(now, 6)
        key = SimulatedKey(
            id=draw_key_id(self._random, self.key_register),
            owner=owner,
            resources=resources,
            created_at=created_at,
            updated_at=created_at,
            expires_at=expires_at,
            display_name=display_name,
            description=description,
            spelling=spelling,
        )
        self.add(key)
        return key

    def add(self, key: SimulatedKey) -> None:
        """Add a key as it is. Raises ``ValueError`` if its id is taken."""
        self.key_register.add(key)

    def delete(self, key_id: str) -> SimulatedKey:
        """Remove and return a key. Raises ``KeyError`` if there is none."""
        return self.key_register.remove(key_id)

    def replace(self, key: SimulatedKey) -> None:
        """Put ``key`` in the place of the one with its id. Raises ``KeyError`` if there is none."""
        self.key_register.replace(key)

    def remove_environment(self, environment_id: str) -> None:
        """Remove an environment with its clusters from the listings; their keys stay.

        As it happens between a list of environments and the requests for each of them
        (facts §2). Raises ``KeyError`` if there is none.
        """
        self.directory.remove_environment(environment_id)


def draw_key_id(random: Random, taken: Container[str]) -> str:
    """Return an id as the provider makes them that is not in ``taken``."""
    while True:
        key_id = "".join(random.choices(_KEY_ID_ALPHABET, k=_KEY_ID_LENGTH))
        if key_id not in taken:
            return key_id
