"""A believable organization out of a number.

Shares are exact: the tables below are apportioned to the number of keys by largest remainders, so
that a test can say how many of each there are. Everything else is drawn.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, TypeVar

from exporter.simulator.census import draw_directory
from exporter.simulator.estate import draw_estate
from exporter.simulator.organization import SimulatedOrganization
from exporter.simulator.population import Population
from exporter.simulator.records import UNHEARD_KIND

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

K = TypeVar("K", bound="Hashable")

SHARES: dict[tuple[str, str], int] = {
    ("service-account", "kafka"): 516,
    ("service-account", "schema-registry"): 200,
    ("service-account", "cloud"): 44,
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
    ("deleted", "kafka"): 4,
    ("deleted", "cloud"): 1,
    ("deactivated", "kafka"): 10,
    ("deactivated", "cloud"): 5,
    ("internal", "kafka"): 10,
    ("audit", "audit"): 10,
}
"""Keys per thousand, by group of owners and kind of the (first) resource."""

FATES: dict[str, int] = {"expired": 12, "expiring": 8, "expiring later": 60, "lasting": 920}
"""Keys per thousand by what becomes of them; less exact, as the copies of rotations have none."""


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
    ``clusters`` Kafka clusters; what is None is derived from ``keys``. Besides those there are the
    accounts and clusters without a key, and whoever is in no list: see
    :class:`exporter.simulator.organization.Estate`. Raises ``ValueError`` for numbers that no
    organization can have.
    """
    if keys < 0 or min(1 if n is None else n for n in (owners, clusters, environments)) < 1:
        raise ValueError("keys must be 0 or more; owners, clusters and environments 1 or more")
    random = Random(f"seed {seed}")
    estate = draw_estate(
        random, keys=keys, owners=owners, clusters=clusters, environments=environments
    )
    fates = [fate for fate, number in apportion(FATES, keys).items() for _ in range(number)]
    random.shuffle(fates)
    population = Population(estate, random, now=now, fates=fates)
    for (group, kind), number in apportion(SHARES, keys).items():
        population.settle(group, kind, number)
    directory = draw_directory(estate, Random(f"directory {seed}"))
    return SimulatedOrganization(
        population.keys.values(), seed=seed, estate=estate, directory=directory
    )


def apportion(shares: Mapping[K, int], total: int) -> dict[K, int]:
    """Divide ``total`` by ``shares``, to whole numbers, by largest remainders."""
    whole = sum(shares.values())
    numbers = {name: total * share // whole for name, share in shares.items()}
    by_remainder = sorted(shares, key=lambda name: -(total * shares[name] % whole))
    for name in by_remainder[: total - sum(numbers.values())]:
        numbers[name] += 1
    return numbers
