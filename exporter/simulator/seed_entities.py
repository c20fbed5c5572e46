"""Draws the owners and resources of a seeded organization, and the records that list them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.simulator import names
from exporter.simulator.model import (
    SimulatedCluster,
    SimulatedEnvironment,
    SimulatedOwner,
    SimulatedRegion,
    SimulatedResource,
    SimulatedServiceAccount,
    SimulatedUser,
)
from exporter.simulator.organization import Entities

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from exporter.simulator.model import Record

_ID_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_CLUSTERS_PER_KSQL = 5
_PER_IDLE = 10  # accounts, users or clusters for each one without a key
_PER_DELETED = 50  # service accounts for each deleted one
_MAX_SERVICE_ACCOUNTS = 1000  # the applied quota that was seen
_MAX_USERS = 500
_MAX_ENVIRONMENTS = 40
_MAX_CLUSTERS = 400  # the applied quota that was seen

_TIERS = ("Basic", "Standard", "Enterprise", "Dedicated", "Freight")
_TIER_WEIGHTS = (25, 35, 15, 20, 5)
_PACKAGES = ("ESSENTIALS", "ADVANCED")
_REGISTRY_NAMES = ("Stream Governance Package", "", "schemas")
_REGISTRY_NAME_WEIGHTS = (90, 7, 3)  # nearly all have the constant name
_AUTH_TYPES = (None, None, "AUTH_TYPE_LOCAL", "AUTH_TYPE_SSO")  # often missing


def draw_entities(
    random: Random, *, keys: int, owners: int | None, clusters: int | None, environments: int | None
) -> Entities:
    """Return owners and resources for ``keys`` keys; a number that is None is derived from it.

    ``owners`` counts service accounts and users with keys, two to one. ``clusters`` counts Kafka
    clusters with keys. Every environment has a Schema Registry, except the last of several.
    """
    ids = _Ids(random)
    if environments is None:
        environments = min(_MAX_ENVIRONMENTS, max(2, keys // 150))
    if clusters is None:
        clusters = min(_MAX_CLUSTERS, max(environments, keys // 40))
    if owners is None:
        owners = min(_MAX_SERVICE_ACCOUNTS + _MAX_USERS, max(6, keys // 5))
    environment_ids = tuple(ids.draw("env-") for _ in range(environments))
    users = max(1, owners // 3)
    accounts = max(1, owners - users)
    return Entities(
        environments=environment_ids,
        resources=tuple(_resources(ids, random, environment_ids, clusters)),
        service_accounts=_owners(ids, "service-account", accounts),
        users=_owners(ids, "user", users),
        idle_service_accounts=_owners(ids, "service-account", max(1, accounts // _PER_IDLE)),
        idle_users=_owners(ids, "user", max(1, users // _PER_IDLE)),
        idle_clusters=tuple(
            SimulatedResource(ids.draw("lkc-"), "kafka", random.choice(environment_ids))
            for _ in range(max(1, clusters // _PER_IDLE))
        ),
        deleted_service_accounts=_owners(ids, "service-account", max(1, accounts // _PER_DELETED)),
        deactivated_users=_owners(ids, "user", max(1, users // 8)),
        audit_account=SimulatedOwner(ids.draw("sa-"), "service-account"),
        audit_cluster=SimulatedResource(ids.draw("lkc-"), "kafka"),
    )


def draw_listed(entities: Entities, random: Random) -> list[Record]:
    """Return the records that list ``entities``, except the deleted, deactivated and audit ones."""
    regions = {place: random.choice(names.USED_REGIONS) for place in entities.environments}
    packages = {
        resource.environment_id: random.choice(_PACKAGES)
        for resource in entities.resources
        if resource.kind == "schema-registry"
    }
    environments = zip(entities.environments, names.environment_names(), strict=False)
    return [
        *_listed_accounts(entities, random),
        *_listed_users(entities, random),
        *(
            SimulatedEnvironment(place, name, packages.get(place, ""))
            for place, name in environments
        ),
        *_listed_clusters(entities, random, regions, packages),
        *(SimulatedRegion(region, name) for region, name in names.REGIONS.items()),
    ]


def _owners(ids: _Ids, kind: str, number: int) -> tuple[SimulatedOwner, ...]:
    prefix = "u-" if kind == "user" else "sa-"
    return tuple(SimulatedOwner(ids.draw(prefix), kind) for _ in range(number))


def _resources(
    ids: _Ids, random: Random, environments: tuple[str, ...], clusters: int
) -> Iterator[SimulatedResource]:
    for number in range(clusters):
        environment = environments[number % len(environments)]
        yield SimulatedResource(ids.draw("lkc-"), "kafka", environment)
        if number % _CLUSTERS_PER_KSQL == 0:
            yield SimulatedResource(ids.draw("lksqlc-"), "ksql", environment)
    for environment in environments[:-1] or environments:
        yield SimulatedResource(ids.draw("lsrc-"), "schema-registry", environment)
    for environment in environments:
        for region in random.sample(names.USED_REGIONS, k=2):
            yield SimulatedResource(region, "flink-region", environment)


def _listed_accounts(entities: Entities, random: Random) -> Iterator[Record]:
    owners = (*entities.service_accounts, *entities.idle_service_accounts)
    for owner, name in zip(owners, names.account_names(random), strict=False):
        yield SimulatedServiceAccount(owner.id, name, names.draw_account_description(random, name))


def _listed_users(entities: Entities, random: Random) -> Iterator[Record]:
    for number, owner in enumerate((*entities.users, *entities.idle_users), start=1):
        full_name, email = names.draw_person(random, number)
        yield SimulatedUser(owner.id, email, full_name, random.choice(_AUTH_TYPES))


def _listed_clusters(
    entities: Entities, random: Random, regions: dict[str, str], packages: dict[str, str]
) -> Iterator[Record]:
    hosts: dict[str, str] = {}
    """The first Kafka cluster of each environment, which runs its ksqlDB clusters."""
    for resource in (*entities.resources, *entities.idle_clusters):
        environment = resource.environment_id
        name, tier, host, identity = "", "", "", ""
        match resource.kind:
            case "kafka":
                hosts.setdefault(environment, resource.id)
                tier = random.choices(_TIERS, _TIER_WEIGHTS)[0]
                name = names.draw_cluster_name(random)
            case "schema-registry":
                name = random.choices(_REGISTRY_NAMES, _REGISTRY_NAME_WEIGHTS)[0]
                tier = packages[environment]
            case "ksql":
                name, host = names.ksql_name(resource.id), hosts[environment]
                identity = random.choice(entities.service_accounts).id
            case _:
                continue
        cloud, _, region = regions[environment].partition(".")
        yield SimulatedCluster(
            id=resource.id,
            kind=resource.kind,
            environment_id=environment,
            name=name,
            cloud=cloud.upper(),
            region=region,
            tier=tier,
            kafka_cluster_id=host,
            identity_id=identity,
        )


class _Ids:
    """Ids in the provider's format: a prefix and six characters, each drawn once."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._drawn: set[str] = set()

    def draw(self, prefix: str) -> str:
        drawn = prefix + "".join(self._random.choices(_ID_ALPHABET, k=6))
        while drawn in self._drawn:
            drawn = prefix + "".join(self._random.choices(_ID_ALPHABET, k=6))
        self._drawn.add(drawn)
        return drawn
