"""Machines that create and delete keys on their own: a secrets manager and a vault engine."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from exporter.simulator.model import SimulatedOwner, SimulatedServiceAccount

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.simulator.model import SimulatedResource
    from exporter.simulator.organization import SimulatedOrganization

MACHINES = {
    "secrets-manager": ("sa-rotat1", "sa-rotat2", "sa-rotat3"),
    "leases": ("sa-lease1", "sa-lease2"),
}
"""The machines of :func:`machine_of`, each with the ids of its service accounts."""
_MINUTE, _HOUR, _DAY = 60.0, 3_600.0, 86_400.0
_RESOURCES = {"secrets-manager": 8, "leases": 2}
"""Maximum number of Kafka clusters of each machine."""
_RUNNING_SINCE = _DAY
"""Simulated seconds before the first call of ``advance`` at which a machine started."""
_MAX_EVENTS = 10_000
"""Events per call of ``advance``; further ones wait for the next call."""


class Issue(NamedTuple):
    """A key of a machine. Times are simulated seconds since its start."""

    created: float
    deleted: float
    owner: SimulatedOwner
    resource: SimulatedResource


@dataclass(frozen=True, kw_only=True)
class SecretsManager:
    """Holds one secret for each owner and resource, and rotates all of them every ``period``.

    The rotations are spread over a ``window``, at most a period. The old key is deleted ``overlap``
    after the new one was created. All times are in seconds.
    """

    owners: tuple[SimulatedOwner, ...]
    resources: tuple[SimulatedResource, ...]
    period: float = 4 * _HOUR
    window: float = 30 * _MINUTE
    overlap: float = 10 * _HOUR
    display_name = "secrets-manager"

    def issues(self, random: Random) -> Iterator[Issue]:
        """Yield the keys without end, in the order of their creation."""
        secrets = [(owner, resource) for owner in self.owners for resource in self.resources]
        rotations = [random.uniform(0, self.window) for _ in secrets]
        for number in count(1):
            later = [number * self.period + random.uniform(0, self.window) for _ in secrets]
            issues = (
                Issue(at, replaced + self.overlap, *secret)
                for at, replaced, secret in zip(rotations, later, secrets, strict=True)
            )
            yield from sorted(issues, key=lambda issue: issue.created)
            rotations = later


@dataclass(frozen=True, kw_only=True)
class Leases:
    """Creates a key for each lease, and deletes it at its end.

    ``interval``: mean number of seconds between two leases. ``lifetime``: shortest and longest
    lease in seconds.
    """

    owners: tuple[SimulatedOwner, ...]
    resources: tuple[SimulatedResource, ...]
    interval: float = 2 * _MINUTE
    lifetime: tuple[float, float] = (30 * _MINUTE, 2 * _HOUR)
    display_name = "vault-lease"

    def issues(self, random: Random) -> Iterator[Issue]:
        """Yield the keys without end, in the order of their creation."""
        at = 0.0
        while True:
            at += random.expovariate(1 / self.interval)
            ends = at + random.uniform(*self.lifetime)
            yield Issue(at, ends, random.choice(self.owners), random.choice(self.resources))


class Rotation:
    """Lets ``machine`` create and delete keys of ``organization``, ``speed`` times as fast as real.

    The machine has been running for a day when :meth:`advance` is called first. Events depend on
    ``seed`` and on the simulated seconds since then, not on the number of calls. ``speed`` 0 stops
    the machine. New keys have wall clock times, as those of
    :class:`~exporter.simulator.lifecycle.Lifecycle`.

    ``current``: receives the ids of the machine's keys while they exist.
    """

    def __init__(
        self,
        organization: SimulatedOrganization,
        machine: SecretsManager | Leases,
        *,
        seed: int,
        speed: float,
        current: set[str] | None = None,
    ) -> None:
        if not 0 <= speed < math.inf:
            raise ValueError("speed must be 0 (stopped) or a positive number")
        self._organization = organization
        self._display_name = machine.display_name
        self._issues = machine.issues(Random(f"{machine.display_name} {seed}"))
        self._next = next(self._issues)
        self._speed = speed
        self._current = set() if current is None else current
        self._began: float | None = None
        self._deletions: list[tuple[float, str]] = []
        """The current keys with the time at which each will be deleted, as a heap."""

    def advance(self, monotonic: float, *, wall: float) -> None:
        """Apply the events that are due at the monotonic time, which is ``wall`` in Unix time."""
        if self._began is None:
            self._began = monotonic
        if self._speed == 0:
            return
        elapsed = (monotonic - self._began) * self._speed + _RUNNING_SINCE
        for _ in range(_MAX_EVENTS):
            deleted = self._deletions[0][0] if self._deletions else math.inf
            if min(deleted, self._next.created) > elapsed:
                break
            if deleted <= self._next.created:
                self._delete(heapq.heappop(self._deletions)[1])
            else:
                self._create(wall - (elapsed - self._next.created) / self._speed)
                self._next = next(self._issues)

    def _create(self, wall: float) -> None:
        key = self._organization.create(
            owner=self._next.owner,
            resources=(self._next.resource,),
            now=wall,
            display_name=self._display_name,
        )
        self._current.add(key.id)
        heapq.heappush(self._deletions, (self._next.deleted, key.id))

    def _delete(self, key_id: str) -> None:
        self._current.discard(key_id)
        if key_id in self._organization.keys:  # else it was deleted by another event
            self._organization.keys.remove(key_id)


def machine_of(name: str, organization: SimulatedOrganization) -> SecretsManager | Leases:
    """Add the service accounts of one of :data:`MACHINES`; return it, for Kafka clusters there."""
    owners = tuple(SimulatedOwner(each, "service-account") for each in MACHINES[name])
    for owner in owners:
        organization.add(SimulatedServiceAccount(owner.id, f"{name}-{owner.id[-1]}"))
    clusters = [each for each in organization.entities.resources if each.kind == "kafka"]
    resources = tuple(clusters[: _RESOURCES[name]])
    machine = SecretsManager if name == "secrets-manager" else Leases
    return machine(owners=owners, resources=resources)
