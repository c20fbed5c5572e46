"""What happens to an organization as time passes."""

from __future__ import annotations

import heapq
import math
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from exporter.simulator.organization import SimulatedOrganization
    from exporter.simulator.records import SimulatedKey

_DAY = 86_400.0
_DAILY_SHARES = {"create": 0.01, "rotate": 0.02, "delete": 0.01}
"""Events per key and day; 4 % together, and as many keys come as go."""
_MOST_AT_ONCE = 10_000
"""Events in one call; whoever was away for longer misses the rest."""
_OVERLAP = (3_600.0, 3 * _DAY)
"""Simulated seconds for which a rotation keeps the old key beside the new one."""


class Life:
    """Creates, rotates and deletes keys of ``organization``, ``speed`` times as fast as in life.

    The events are determined by ``seed`` and by the simulated seconds since the first call of
    :meth:`advance`, however many calls there are in between. ``speed`` 0 is a frozen organization.

    New keys are stamped with the wall clock, not with the simulated time: clients compare
    ``created_at`` with their own clock, and a key from the future would be a lie. The keys of the
    ids ``spared`` stay: those that the clients themselves use. Owners who are gone get no new keys.
    """

    def __init__(
        self,
        organization: SimulatedOrganization,
        *,
        seed: int,
        speed: float,
        spared: Collection[str] = (),
    ) -> None:
        if not 0 <= speed < math.inf:
            raise ValueError("speed must be 0 (frozen) or a positive number")
        self._organization = organization
        self._spared = spared
        estate = organization.estate
        self._gone = {*estate.deleted_service_accounts, *estate.deactivated_users}
        self._random = Random(f"life {seed}")
        self._speed = speed
        self._began: float | None = None
        self._farewells: list[tuple[float, str]] = []
        """When the old keys of the rotations go, as a heap."""
        self._leaving: set[str] = set()
        self._next = self._pause()
        self._events: dict[str, Callable[[SimulatedKey, float, float], None]] = {
            "create": self._create,
            "rotate": self._rotate,
            "delete": self._delete,
        }

    def advance(self, monotonic: float, *, wall: float) -> None:
        """Let happen what is due by the monotonic time, which is ``wall`` in Unix time."""
        if self._began is None:
            self._began = monotonic
        if self._speed == 0:
            return
        elapsed = (monotonic - self._began) * self._speed
        for _ in range(_MOST_AT_ONCE):
            at = self._next_event()
            if at > elapsed:
                break
            stamp = wall - (elapsed - at) / self._speed
            if self._farewells and self._farewells[0][0] == at:
                self._part(heapq.heappop(self._farewells)[1])
            else:
                self._happen(at, stamp)
                self._next += self._pause()

    def _next_event(self) -> float:
        return min(self._next, self._farewells[0][0]) if self._farewells else self._next

    def _pause(self) -> float:
        per_second = len(self._organization) * sum(_DAILY_SHARES.values()) / _DAY
        return self._random.expovariate(per_second) if per_second else _DAY

    def _happen(self, at: float, stamp: float) -> None:
        (event,) = self._random.choices(list(_DAILY_SHARES), list(_DAILY_SHARES.values()))
        if len(self._organization):
            index = self._random.randrange(len(self._organization))
            key = self._organization.key_at(index)
            if key.id not in self._spared:
                self._events[event](key, at, stamp)

    def _create(self, like: SimulatedKey, at: float, stamp: float) -> None:
        """Give an owner one more key, for something it has a key for."""
        del at
        if like.owner in self._gone:
            return
        self._organization.create(
            owner=like.owner,
            resources=like.resources,
            now=stamp,
            display_name=like.display_name,
            description=like.description,
        )

    def _rotate(self, old: SimulatedKey, at: float, stamp: float) -> None:
        if old.id in self._leaving or old.owner in self._gone:
            return
        lifetime = None if old.expires_at is None else old.expires_at - old.created_at
        self._organization.create(
            owner=old.owner,
            resources=old.resources,
            now=stamp,
            expires_at=None if lifetime is None else round(stamp + lifetime, 6),
            display_name=old.display_name,
            description=old.description,
        )
        self._leaving.add(old.id)
        heapq.heappush(self._farewells, (at + self._random.uniform(*_OVERLAP), old.id))

    def _delete(self, key: SimulatedKey, at: float, stamp: float) -> None:
        del at, stamp
        self._organization.delete(key.id)

    def _part(self, key_id: str) -> None:
        self._leaving.discard(key_id)
        if key_id in self._organization:  # somebody may have deleted it before
            self._organization.delete(key_id)
