"""Who and what the other listings of an organization name, besides its keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from exporter.simulator.records import (
    SimulatedCluster,
    SimulatedEnvironment,
    SimulatedRegion,
    SimulatedServiceAccount,
    SimulatedUser,
)
from exporter.simulator.register import Register

if TYPE_CHECKING:
    from collections.abc import Iterable

Listed: TypeAlias = (
    SimulatedServiceAccount
    | SimulatedUser
    | SimulatedEnvironment
    | SimulatedCluster
    | SimulatedRegion
)


class Directory:
    """The records of those listings, each kind by id in the order of its listing.

    It may be changed at any time, and knows nothing of the keys: an account that is removed here
    leaves its keys behind. ``name`` is the organization's; an empty one is not shown.
    """

    def __init__(self, records: Iterable[Listed] = (), *, name: str = "") -> None:
        self.name = name
        self.service_accounts: Register[SimulatedServiceAccount] = Register()
        self.users: Register[SimulatedUser] = Register()
        self.environments: Register[SimulatedEnvironment] = Register()
        self.clusters: Register[SimulatedCluster] = Register()
        self.regions: Register[SimulatedRegion] = Register()
        for record in records:
            self.add(record)

    @property
    def changes(self) -> int:
        """How often anything was changed; grows with every change."""
        return sum(
            register.changes
            for register in (
                self.service_accounts,
                self.users,
                self.environments,
                self.clusters,
                self.regions,
            )
        )

    def add(self, record: Listed) -> None:
        """List ``record`` with its kind. Raises ``ValueError`` if its id is taken there."""
        match record:
            case SimulatedServiceAccount():
                self.service_accounts.add(record)
            case SimulatedUser():
                self.users.add(record)
            case SimulatedEnvironment():
                self.environments.add(record)
            case SimulatedCluster():
                self.clusters.add(record)
            case SimulatedRegion():
                self.regions.add(record)

    def remove_environment(self, environment_id: str) -> None:
        """Remove an environment and the clusters in it. Raises ``KeyError`` if there is none."""
        self.environments.remove(environment_id)
        gone = [
            cluster.id
            for cluster in self.clusters.snapshot().values()
            if cluster.environment_id == environment_id
        ]
        for cluster_id in gone:
            self.clusters.remove(cluster_id)
