"""Generates a realistic organization from a seed.

The tables below are apportioned to the number of keys by largest remainders, so that tests can rely
on exact numbers. Everything else is random.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, TypeVar

from exporter.simulator.model import UNRECOGNIZED_KIND
from exporter.simulator.names import ORGANIZATIONS
from exporter.simulator.organization import SimulatedOrganization
from exporter.simulator.seed_entities import draw_entities, draw_listed
from exporter.simulator.seed_keys import KeyGenerator
from exporter.simulator.seed_usage import seeded_usage

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
    ("service-account", UNRECOGNIZED_KIND): 6,
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
"""Keys per thousand by group of owners and kind of the first resource."""

EXPIRIES: dict[str, int] = {"expired": 12, "expiring": 8, "expiring later": 60, "permanent": 920}
"""Keys per thousand by expiry. Approximate: keys that follow another have its lifetime."""


def seeded_organization(
    *,
    seed: int,
    keys: int = 1200,
    owners: int | None = None,
    clusters: int | None = None,
    environments: int | None = None,
    now: float,
) -> SimulatedOrganization:
    """Return an organization with exactly ``keys`` keys at the Unix time ``now``.

    The same arguments give the same organization. ``owners``: the number of service accounts and
    users with keys; ``clusters``: the number of Kafka clusters with keys. Numbers that are None are
    derived from ``keys``. The idle and unlisted ones of
    :class:`exporter.simulator.organization.Entities` are added to them.

    Raises ``ValueError`` for numbers out of range.
    """
    if keys < 0 or min(1 if n is None else n for n in (owners, clusters, environments)) < 1:
        raise ValueError("keys must be 0 or more; owners, clusters and environments 1 or more")
    random = Random(f"seed {seed}")
    entities = draw_entities(
        random, keys=keys, owners=owners, clusters=clusters, environments=environments
    )
    expiries = [
        expiry for expiry, number in apportion(EXPIRIES, keys).items() for _ in range(number)
    ]
    random.shuffle(expiries)
    generator = KeyGenerator(entities, random, now=now, expiries=expiries)
    for (group, kind), number in apportion(SHARES, keys).items():
        generator.generate(group, kind, number)
    random = Random(f"directory {seed}")
    records = [*generator.keys.values(), *draw_listed(entities, random)]
    name = random.choice(ORGANIZATIONS)
    usage = seeded_usage(generator.keys.values(), seed=seed, now=now)
    return SimulatedOrganization(records, seed=seed, name=name, entities=entities, usage=usage)


def apportion(shares: Mapping[K, int], total: int) -> dict[K, int]:
    """Divide ``total`` in proportion to ``shares`` into whole numbers, by largest remainders."""
    whole = sum(shares.values())
    numbers = {name: total * share // whole for name, share in shares.items()}
    by_remainder = sorted(shares, key=lambda name: -(total * shares[name] % whole))
    for name in by_remainder[: total - sum(numbers.values())]:
        numbers[name] += 1
    return numbers
