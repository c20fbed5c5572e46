"""Draws who uses the Kafka clusters of a seeded organization."""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING

from exporter.simulator.usage import PrincipalLabel, SimulatedUsage, Workload

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.simulator.model import SimulatedKey

_HOUR = 3600
_DAY = 24 * _HOUR
_FIRST = 30 * _DAY
"""Seconds before now at which all workloads have begun."""
_BEHAVIORS = ("steady", "scheduled", "stopping", "stopped", "never")
_WEIGHTS = (50, 15, 15, 10, 10)
_SCHEDULES = (6 * _HOUR, 12 * _HOUR, _DAY, 3 * _DAY)
_CLUSTERS_PER_EXCEPTION = 8  # clusters for each silent one, and for each that names no principals
_MIN_CLUSTERS = 4  # fewer have no such exceptions
_PRINCIPALS_WITHOUT_KEYS = ("pool-{:04}", "{:06}")
"""The ids of identity pools, and of services of the provider, whose form is an assumption."""


def seeded_usage(keys: Iterable[SimulatedKey], *, seed: int, now: float) -> SimulatedUsage:
    """Return the usage by the owners of ``keys``, and by others, at the Unix time ``now``.

    Most owners work all the time or on a schedule. Some stop in the next 14 days, some stopped in
    the past 10 days, some never worked.
    """
    random = Random(f"usage {seed}")
    pairs = sorted(
        {
            (key.owner.id, resource.id)
            for key in keys
            if key.owner is not None
            for resource in key.resources
            if resource.kind == "kafka"
        }
    )
    clusters = sorted({cluster for _, cluster in pairs})
    usage = SimulatedUsage()
    for owner, cluster in pairs:
        workload = _workload(random, owner, cluster, now)
        if workload is not None:
            usage.add(workload)
    for number, cluster in enumerate(clusters):
        principal = random.choice(_PRINCIPALS_WITHOUT_KEYS).format(number)
        usage.add(Workload(principal, cluster, _first(random, now, 60)))
    exceptions = 0
    if len(clusters) >= _MIN_CLUSTERS:
        exceptions = max(1, len(clusters) // _CLUSTERS_PER_EXCEPTION)
    drawn = random.sample(clusters, k=2 * exceptions)
    usage.silent.update(drawn[:exceptions])
    forms = (PrincipalLabel.MISSING, PrincipalLabel.NULL, PrincipalLabel.EMPTY)
    usage.labels.update({cluster: random.choice(forms) for cluster in drawn[exceptions:]})
    return usage


def _workload(random: Random, owner: str, cluster: str, now: float) -> Workload | None:
    behavior = random.choices(_BEHAVIORS, _WEIGHTS)[0]
    if behavior == "never":
        return None
    every = random.choice(_SCHEDULES) if behavior == "scheduled" else 60 * random.randint(1, 10)
    until = math.inf
    if behavior == "stopping":
        until = now + random.uniform(0, 14 * _DAY)
    elif behavior == "stopped":
        until = now - random.uniform(0, 10 * _DAY)
    return Workload(
        owner,
        cluster,
        first=_first(random, now, every),
        every=every,
        until=until,
        requests=random.randint(1, 500),
    )


def _first(random: Random, now: float, every: int) -> float:
    """Return a whole minute, such that not all owners work at the same minutes."""
    return now // 60 * 60 - _FIRST - 60 * random.randrange(every // 60)
