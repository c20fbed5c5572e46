"""Draws the directory of an estate: a name for everybody and everything that is listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.simulator import names
from exporter.simulator.directory import Directory
from exporter.simulator.records import (
    SimulatedCluster,
    SimulatedEnvironment,
    SimulatedRegion,
    SimulatedServiceAccount,
    SimulatedUser,
)
from exporter.simulator.regions import REGIONS, USED_REGIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from exporter.simulator.directory import Listed
    from exporter.simulator.organization import Estate
    from exporter.simulator.records import SimulatedResource

_ORGANIZATIONS = ("Example Logistics", "Specimen & Söhne", "Acme Retail", "Sample Bank", "注文堂")
_TIERS = ("Basic", "Standard", "Enterprise", "Dedicated", "Freight")
_TIER_WEIGHTS = (25, 35, 15, 20, 5)
_PACKAGES = ("ESSENTIALS", "ADVANCED")
_REGISTRY_NAMES = ("Stream Governance Package", "", "schemas")
_REGISTRY_NAME_WEIGHTS = (90, 7, 3)  # nearly all of them have the constant (facts §2)
_AUTH_TYPES = (None, None, "AUTH_TYPE_LOCAL", "AUTH_TYPE_SSO")  # often missing (facts §2)


def draw_directory(estate: Estate, random: Random) -> Directory:
    """Return what the listings show of ``estate``.

    In none of them are the deactivated users, the deleted service accounts, and the account and
    the cluster of the audit log.
    """
    census = _Census(estate, random)
    records = (
        *census.accounts(),
        *census.users(),
        *census.environments(),
        *census.clusters(),
        *(SimulatedRegion(region, name) for region, name in REGIONS.items()),
    )
    return Directory(records, name=random.choice(_ORGANIZATIONS))


class _Census:
    def __init__(self, estate: Estate, random: Random) -> None:
        self._estate = estate
        self._random = random
        self._regions = {place: random.choice(USED_REGIONS) for place in estate.environments}
        self._packages = {
            resource.environment_id: random.choice(_PACKAGES)
            for resource in estate.resources
            if resource.kind == "schema-registry"
        }

    def accounts(self) -> Iterator[Listed]:
        owners = (*self._estate.service_accounts, *self._estate.idle_service_accounts)
        for owner, name in zip(owners, names.account_names(self._random), strict=False):
            description = names.draw_description(self._random, name)
            yield SimulatedServiceAccount(owner.id, name, description)

    def users(self) -> Iterator[Listed]:
        owners = (*self._estate.users, *self._estate.idle_users)
        for number, owner in enumerate(owners, start=1):
            full_name, email = names.draw_person(self._random, number)
            yield SimulatedUser(owner.id, email, full_name, self._random.choice(_AUTH_TYPES))

    def environments(self) -> Iterator[Listed]:
        for place, name in zip(self._estate.environments, names.place_names(), strict=False):
            yield SimulatedEnvironment(place, name, self._packages.get(place, ""))

    def clusters(self) -> Iterator[Listed]:
        hosts: dict[str, str] = {}
        for resource in (*self._estate.resources, *self._estate.idle_clusters):
            place = resource.environment_id
            if resource.kind == "kafka":
                # The first one in each environment carries its ksqlDB clusters.
                hosts.setdefault(place, resource.id)
                tier = self._random.choices(_TIERS, _TIER_WEIGHTS)[0]
                yield self._cluster(resource, names.draw_cluster_name(self._random), tier=tier)
            elif resource.kind == "schema-registry":
                name = self._random.choices(_REGISTRY_NAMES, _REGISTRY_NAME_WEIGHTS)[0]
                yield self._cluster(resource, name, tier=self._packages[place])
            elif resource.kind == "ksql":
                # The CRN of a key has the name of its ksqlDB cluster, see `spelling`.
                yield self._cluster(resource, f"app_{resource.id[-6:]}", host=hosts[place])

    def _cluster(
        self, resource: SimulatedResource, name: str, *, tier: str = "", host: str = ""
    ) -> SimulatedCluster:
        cloud, _, region = self._regions[resource.environment_id].partition(".")
        identity = self._random.choice(self._estate.service_accounts).id if host else ""
        return SimulatedCluster(
            id=resource.id,
            kind=resource.kind,
            environment_id=resource.environment_id,
            name=name,
            cloud=cloud.upper(),
            region=region,
            tier=tier,
            kafka_cluster_id=host,
            identity_id=identity,
        )
