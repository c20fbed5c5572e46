"""A believable organization out of a number.

Shares are exact: the table below is apportioned to the number of keys by largest remainders, so
that a test can say how many of each there are. Everything else is drawn.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from exporter.simulator.estate import draw_estate
from exporter.simulator.names import draw_names
from exporter.simulator.organization import SimulatedOrganization, draw_key_id
from exporter.simulator.records import (
    CLOUD,
    GLOBAL,
    TABLEFLOW,
    UNHEARD_KIND,
    SimulatedKey,
    SimulatedOwner,
    SimulatedResource,
    Spelling,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.simulator.organization import Estate

SHARES: dict[tuple[str, str], int] = {
    ("service-account", "kafka"): 520,
    ("service-account", "schema-registry"): 200,
    ("service-account", "cloud"): 45,
    ("service-account", "flink-region"): 40,
    ("service-account", "ksql"): 28,
    ("service-account", "tableflow"): 12,
    ("service-account", "global"): 9,
    ("service-account", UNHEARD_KIND): 6,
    ("user", "kafka"): 55,
    ("user", "cloud"): 20,
    ("user", "schema-registry"): 15,
    ("user", "flink-region"): 8,
    ("user", "ksql"): 5,
    ("user", "global"): 2,
    ("deactivated", "kafka"): 10,
    ("deactivated", "cloud"): 5,
    ("internal", "kafka"): 10,
    ("audit", "audit"): 10,
}
"""Keys per thousand, by group of owners and kind of the (first) resource."""

_DAY = 86_400.0
_MINUTE = 60.0
_OLDEST = 5 * 365 * _DAY
_MEAN_AGE = 200 * _DAY
_TWINS = {"rotation": 0.03, "orphans": 0.01}
"""Probability that the next key for the same owner and resource follows as the name says."""
_SEVERAL_RESOURCES = 0.02
_EXPIRING = 0.08
_EDITED = 0.05
_LIFETIMES = (30 * _DAY, 90 * _DAY, 180 * _DAY, 365 * _DAY)
_SPELLINGS = tuple(Spelling)
_SPELLING_WEIGHTS = (55, 20, 12, 8, 5)
_DECIMALS = (6, 6, 6, 6, 5, 4, 3, 1, 0)  # whole seconds and trimmed zeros occur (facts §1.3)
_PLACELESS = {"cloud": CLOUD, "global": GLOBAL, "tableflow": TABLEFLOW}
_SPREAD_OF_OWNERS = 1.2  # above 1, the first owners have more keys than the last ones


def seeded_organization(
    *,
    seed: int,
    keys: int = 1200,
    owners: int | None = None,
    clusters: int | None = None,
    environments: int | None = None,
    now: float,
) -> SimulatedOrganization:
    """Return an organization of exactly ``keys`` keys as it could be at the Unix time ``now``.

    The same arguments give the same organization. ``owners`` counts service accounts and users,
    ``clusters`` Kafka clusters; what is None is derived from ``keys``. Raises ``ValueError`` for
    numbers that no organization can have.
    """
    if keys < 0 or min(1 if n is None else n for n in (owners, clusters, environments)) < 1:
        raise ValueError("keys must be 0 or more; owners, clusters and environments 1 or more")
    random = Random(f"seed {seed}")
    estate = draw_estate(
        random, keys=keys, owners=owners, clusters=clusters, environments=environments
    )
    population = _Population(estate, random, now=now)
    for (group, kind), number in apportion(SHARES, keys).items():
        population.settle(group, kind, number)
    return SimulatedOrganization(population.keys.values(), seed=seed, estate=estate)


def apportion(shares: dict[tuple[str, str], int], total: int) -> dict[tuple[str, str], int]:
    """Divide ``total`` by ``shares``, to whole numbers, by largest remainders."""
    whole = sum(shares.values())
    numbers = {name: total * share // whole for name, share in shares.items()}
    by_remainder = sorted(shares, key=lambda name: -(total * shares[name] % whole))
    for name in by_remainder[: total - sum(numbers.values())]:
        numbers[name] += 1
    return numbers


class _Population:
    """Makes the keys of an estate, one group after the other."""

    def __init__(self, estate: Estate, random: Random, *, now: float) -> None:
        self.keys: dict[str, SimulatedKey] = {}
        self._estate = estate
        self._random = random
        self._now = now
        by_place: dict[tuple[str, str], list[SimulatedResource]] = {}
        for resource in self._estate.resources:
            by_place.setdefault((resource.kind, resource.environment_id), []).append(resource)
        self._by_place = by_place
        owners = (*self._estate.service_accounts, *self._estate.users)
        places = self._estate.environments
        # An owner works in one environment, or pairs would be as many as keys.
        self._home = {owner.id: random.choice(places) for owner in owners}

    def settle(self, group: str, kind: str, number: int) -> None:
        """Create ``number`` keys of one row of the table."""
        left = number
        while left:
            owner = self._owner(group)
            resources = self._resources(kind, owner)
            born = self._birthday(group)
            self._create(owner, resources, born)
            left -= 1
            drawn = self._random.random()
            if left and drawn < _TWINS["rotation"]:
                pause = self._random.uniform(0.1, 0.9) * min(self._now - born, 90 * _DAY)
                self._create(owner, resources, born + pause)
                left -= 1
            elif drawn > 1 - _TWINS["orphans"]:
                for twin in range(min(left, self._random.choice((1, 2)))):
                    pause = (twin + 1) * self._random.uniform(2, 9) * _MINUTE
                    self._create(owner, resources, born + pause)
                    left -= 1

    def _create(
        self, owner: SimulatedOwner | None, resources: tuple[SimulatedResource, ...], born: float
    ) -> None:
        random = self._random
        created_at = round(born, random.choice(_DECIMALS))
        lifetime = random.choice(_LIFETIMES) if random.random() < _EXPIRING else None
        display_name, description = draw_names(random)
        spelling = random.choices(_SPELLINGS, _SPELLING_WEIGHTS)[0]
        updated_at = created_at if random.random() > _EDITED else round(self._now - _MINUTE, 6)
        key_id = draw_key_id(random, self.keys)
        self.keys[key_id] = SimulatedKey(
            id=key_id,
            owner=owner,
            resources=resources,
            created_at=created_at,
            updated_at=None if spelling is Spelling.BARE else updated_at,
            expires_at=None if lifetime is None else created_at + lifetime,
            display_name=display_name,
            description=description,
            spelling=spelling,
        )

    def _owner(self, group: str) -> SimulatedOwner | None:
        match group:
            case "service-account":
                return self._one_of(self._estate.service_accounts)
            case "user":
                return self._one_of(self._estate.users)
            case "deactivated":
                return self._one_of(self._estate.deactivated_users)
            case "audit":
                return self._estate.audit_account
            case _:
                return None

    def _one_of(self, owners: Sequence[SimulatedOwner]) -> SimulatedOwner:
        return owners[int(len(owners) * self._random.random() ** _SPREAD_OF_OWNERS)]

    def _resources(self, kind: str, owner: SimulatedOwner | None) -> tuple[SimulatedResource, ...]:
        if kind == "audit":
            assert self._estate.audit_cluster is not None  # noqa: S101 # every drawn estate has one
            return (self._estate.audit_cluster,)
        if kind in _PLACELESS:
            return (_PLACELESS[kind],)
        home = self._home.get(owner.id) if owner else None
        first = self._resource(kind, home or self._random.choice(self._estate.environments))
        if kind == "kafka" and self._random.random() < _SEVERAL_RESOURCES:
            second = self._resource("schema-registry", first.environment_id)
            return (first, second)
        return (first,)

    def _resource(self, kind: str, place: str) -> SimulatedResource:
        """Return one of ``kind``, in ``place`` if there is one there."""
        if kind == UNHEARD_KIND:
            return SimulatedResource("something-new", kind, place)
        if not (there := self._by_place.get((kind, place))):
            elsewhere = [known for known in self._by_place if known[0] == kind]
            there = self._by_place[self._random.choice(elsewhere)]
        return self._random.choice(there)

    def _birthday(self, group: str) -> float:
        age = self._random.expovariate(1 / _MEAN_AGE)
        if group == "deactivated":
            age += 365 * _DAY
        # 2 hours and more: what is younger is for life itself to create
        return self._now - min(age + 120 * _MINUTE, _OLDEST)
