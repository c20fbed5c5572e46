"""Creates, rotates and deletes the keys of an organization as time passes."""

from __future__ import annotations

import heapq
import math
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from exporter.simulator.model import SimulatedKey
    from exporter.simulator.organization import SimulatedOrganization

_DAY = 86_400.0
_DAILY_SHARES = {"create": 0.01, "rotate": 0.02, "delete": 0.01}
"""Events per key and day. The number of keys stays about the same."""
_MAX_EVENTS = 10_000
"""Events per call of ``advance``; further ones wait for the next call."""
_OVERLAP = (3_600.0, 3 * _DAY)
"""Minimum and maximum of the simulated seconds between a rotation and the old key's deletion."""


class Lifecycle:
    """Changes ``organization``, ``speed`` times as fast as a real one.

    The events depend on ``seed`` and on the simulated seconds since the first call of
    :meth:`advance`, not on the number of calls. ``speed`` 0 stops all changes.

    New keys have wall clock times, not simulated ones, because clients compare ``created_at`` with
    their own clock. Keys in ``protected``, such as those that clients use, are never changed.
    Deleted and deactivated owners get no new keys.
    """

    def __init__(
        self,
        organization: SimulatedOrganization,
        *,
        seed: int,
        speed: float,
        protected: Collection[str] = (),
    ) -> None:
        if not 0 <= speed < math.inf:
            raise ValueError("speed must be 0 (stopped) or a positive number")
        self._organization = organization
        self._protected = protected
        entities = organization.entities
        self._deleted_owners = {*entities.deleted_service_accounts, *entities.deactivated_users}
        self._random = Random(f"life {seed}")
        self._speed = speed
        self._began: float | None = None
        self._deletions: list[tuple[float, str]] = []
        """The pending deletions of rotated keys, as a heap."""
        self._rotated: set[str] = set()
        """The keys with a pending deletion."""
        self._next = self._pause()

    def advance(self, monotonic: float, *, wall: float) -> None:
        """Apply the events that are due at the monotonic time, which is ``wall`` in Unix time."""
        if self._began is None:
            self._began = monotonic
        if self._speed == 0:
            return
        elapsed = (monotonic - self._began) * self._speed
        for _ in range(_MAX_EVENTS):
            at = min(self._next, self._deletions[0][0]) if self._deletions else self._next
            if at > elapsed:
                break
            if self._deletions and self._deletions[0][0] == at:
                self._delete_rotated(heapq.heappop(self._deletions)[1])
            else:
                self._apply(at, wall - (elapsed - at) / self._speed)
                self._next += self._pause()

    def _pause(self) -> float:
        per_second = len(self._organization.keys) * sum(_DAILY_SHARES.values()) / _DAY
        return self._random.expovariate(per_second) if per_second else _DAY

    def _apply(self, at: float, wall: float) -> None:
        """Apply a random event to a random key at the simulated time ``at``."""
        (event,) = self._random.choices(list(_DAILY_SHARES), list(_DAILY_SHARES.values()))
        keys = self._organization.keys
        if not keys:
            return
        key = keys.at(self._random.randrange(len(keys)))
        if key.id in self._protected:
            return
        if event == "delete":
            keys.remove(key.id)
        elif key.owner not in self._deleted_owners:
            if event == "create":
                self._copy(key, wall)
            elif key.id not in self._rotated:
                self._rotate(key, at, wall)

    def _rotate(self, old: SimulatedKey, at: float, wall: float) -> None:
        lifetime = None if old.expires_at is None else old.expires_at - old.created_at
        self._copy(old, wall, None if lifetime is None else round(wall + lifetime, 6))
        self._rotated.add(old.id)
        heapq.heappush(self._deletions, (at + self._random.uniform(*_OVERLAP), old.id))

    def _copy(self, key: SimulatedKey, now: float, expires_at: float | None = None) -> None:
        self._organization.create(
            owner=key.owner,
            resources=key.resources,
            now=now,
            expires_at=expires_at,
            display_name=key.display_name,
            description=key.description,
        )

    def _delete_rotated(self, key_id: str) -> None:
        self._rotated.discard(key_id)
        if key_id in self._organization.keys:  # else it was deleted by another event
            self._organization.keys.remove(key_id)
