"""Draws who and what a seeded organization consists of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.simulator.organization import Estate
from exporter.simulator.records import SimulatedOwner, SimulatedResource
from exporter.simulator.regions import USED_REGIONS

if TYPE_CHECKING:
    from random import Random

_ID_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_CLUSTERS_PER_KSQL = 5
_PER_IDLE = 10  # accounts, users or clusters to one more without a key
_PER_DELETED = 50  # service accounts to one that was deleted
_MAX_SERVICE_ACCOUNTS = 1000  # the quota that organizations were seen with (facts §3)
_MAX_USERS = 500
_MAX_ENVIRONMENTS = 40
_MAX_CLUSTERS = 400  # as above


def draw_estate(
    random: Random, *, keys: int, owners: int | None, clusters: int | None, environments: int | None
) -> Estate:
    """Return an estate that fits ``keys`` keys; a number that is None is derived from it.

    ``owners`` counts service accounts and users together, two to one; those without a key, those
    that are gone, and the account of the audit log are besides. ``clusters`` counts Kafka clusters,
    and those without a key are besides. Every environment has a Schema Registry, except the last
    of several.
    """
    ids = _Ids(random)
    if environments is None:
        environments = min(_MAX_ENVIRONMENTS, max(2, keys // 150))
    if clusters is None:
        clusters = min(_MAX_CLUSTERS, max(environments, keys // 40))
    if owners is None:
        owners = min(_MAX_SERVICE_ACCOUNTS + _MAX_USERS, max(6, keys // 5))
    places = tuple(ids.draw("env-") for _ in range(environments))
    users = max(1, owners // 3)
    accounts = max(1, owners - users)
    return Estate(
        environments=places,
        resources=tuple(_resources(ids, random, places=places, clusters=clusters)),
        service_accounts=_owners(ids, "sa-", "service-account", accounts),
        users=_owners(ids, "u-", "user", users),
        idle_service_accounts=_owners(ids, "sa-", "service-account", max(1, accounts // _PER_IDLE)),
        idle_users=_owners(ids, "u-", "user", max(1, users // _PER_IDLE)),
        idle_clusters=tuple(
            SimulatedResource(ids.draw("lkc-"), "kafka", random.choice(places))
            for _ in range(max(1, clusters // _PER_IDLE))
        ),
        deleted_service_accounts=_owners(
            ids, "sa-", "service-account", max(1, accounts // _PER_DELETED)
        ),
        deactivated_users=_owners(ids, "u-", "user", max(1, users // 8)),
        audit_account=SimulatedOwner(ids.draw("sa-"), "service-account"),
        audit_cluster=SimulatedResource(ids.draw("lkc-"), "kafka"),
    )


def _owners(ids: _Ids, prefix: str, kind: str, number: int) -> tuple[SimulatedOwner, ...]:
    return tuple(SimulatedOwner(ids.draw(prefix), kind) for _ in range(number))


def _resources(
    ids: _Ids, random: Random, *, places: tuple[str, ...], clusters: int
) -> list[SimulatedResource]:
    found: list[SimulatedResource] = []
    for number in range(clusters):
        place = places[number % len(places)]
        found.append(SimulatedResource(ids.draw("lkc-"), "kafka", place))
        if number % _CLUSTERS_PER_KSQL == 0:
            found.append(SimulatedResource(ids.draw("lksqlc-"), "ksql", place))
    governed = places[:-1] or places
    found += [SimulatedResource(ids.draw("lsrc-"), "schema-registry", place) for place in governed]
    for place in places:
        regions = random.sample(USED_REGIONS, k=2)
        found += [SimulatedResource(region, "flink-region", place) for region in regions]
    return found


class _Ids:
    """Ids as the provider makes them: a prefix and six characters, never twice."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._drawn: set[str] = set()

    def draw(self, prefix: str) -> str:
        while True:
            drawn = prefix + "".join(self._random.choices(_ID_ALPHABET, k=6))
            if drawn not in self._drawn:
                self._drawn.add(drawn)
                return drawn
