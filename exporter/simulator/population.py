"""Makes the keys of a seeded estate, one row of the table after the other."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

from exporter.simulator.names import draw_names
from exporter.simulator.organization import draw_key_id
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
    from random import Random

    from exporter.simulator.organization import Estate

Resources: TypeAlias = tuple[SimulatedResource, ...]

_DAY = 86_400.0
_MINUTE = 60.0
_OLDEST = 5 * 365 * _DAY
_MEAN_AGE = 200 * _DAY
_YOUNGEST = 120 * _MINUTE  # what is younger is for life itself to create
_COMPANIES = {"rotation": 0.03, "unfinished": 0.008, "orphans": 0.01}
"""Probability that more keys for the same owner and resource follow, as the name says."""
_SEVERAL_RESOURCES = 0.02
_EDITED = 0.05
_LIFETIMES = (30 * _DAY, 90 * _DAY, 180 * _DAY, 365 * _DAY)
_LONGEST_EXPIRED = 120 * _DAY
_EXPIRING_WITHIN = 14 * _DAY
_SPELLINGS = tuple(Spelling)
_SPELLING_WEIGHTS = (55, 20, 12, 8, 5)
_DECIMALS = (6, 6, 6, 6, 5, 4, 3, 1, 0)  # whole seconds and trimmed zeros occur (facts §1.3)
_PLACELESS = {"cloud": CLOUD, "global": GLOBAL, "tableflow": TABLEFLOW}
_SPREAD_OF_OWNERS = 1.2  # above 1, the first owners have more keys than the last ones
_USUAL_KEYS_OF_A_PAIR = 2
_TRIES = 6  # to find an owner and a resource with fewer keys; with many keys there is none


class Population:
    """The keys so far. ``fates`` are consumed, one for each key that does not follow another.

    A fate is ``expired``, ``expiring`` within 14 days, ``expiring later`` or ``lasting``.
    """

    def __init__(self, estate: Estate, random: Random, *, now: float, fates: list[str]) -> None:
        self.keys: dict[str, SimulatedKey] = {}
        self._estate = estate
        self._random = random
        self._now = now
        self._fates = fates
        self._pairs: Counter[tuple[str, str]] = Counter()
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
            owner, resources = self._pair(group, kind)
            born, lifetime = self._span(group)
            births = [born, *self._followers(born)]
            if len(births) > _USUAL_KEYS_OF_A_PAIR:
                lifetime = None
            for birth in births[:left]:
                self._create(owner, resources, birth, lifetime)
            left -= min(left, len(births))

    def _followers(self, born: float) -> list[float]:
        """Return when the keys that follow one born at ``born`` were created; mostly none do."""
        random = self._random
        age = self._now - born
        drawn = random.random()
        if drawn < _COMPANIES["rotation"]:
            return [born + random.uniform(0.1, 0.9) * min(age, 90 * _DAY)]
        drawn -= _COMPANIES["rotation"]
        if drawn < _COMPANIES["unfinished"] and age > 60 * _DAY:
            # Two rotations that nobody finished, the latter at least three weeks ago.
            span = age - 21 * _DAY
            return [born + random.uniform(*part) * span for part in ((0.3, 0.5), (0.6, 1.0))]
        drawn -= _COMPANIES["unfinished"]
        if 0 <= drawn < _COMPANIES["orphans"]:
            number = random.choice((1, 2))
            return [born + n * random.uniform(2, 9) * _MINUTE for n in range(1, number + 1)]
        return []

    def _span(self, group: str) -> tuple[float, float | None]:
        """Return when a key was created and for how many seconds it is valid, None for ever."""
        random = self._random
        fate = self._fates.pop()
        if group == "deactivated" or fate == "lasting":
            return self._birthday(group), None
        lifetime = random.choice(_LIFETIMES)
        match fate:
            case "expired":
                age = lifetime + random.uniform(_MINUTE, _LONGEST_EXPIRED)
            case "expiring":
                age = lifetime - random.uniform(_DAY, _EXPIRING_WITHIN - _DAY)
            case _:
                age = random.uniform(_YOUNGEST, lifetime - _EXPIRING_WITHIN - _DAY)
        return self._now - age, lifetime

    def _birthday(self, group: str) -> float:
        age = self._random.expovariate(1 / _MEAN_AGE)
        if group == "deactivated":
            age += 365 * _DAY
        return self._now - min(age + _YOUNGEST, _OLDEST)

    def _create(
        self,
        owner: SimulatedOwner | None,
        resources: Resources,
        born: float,
        lifetime: float | None,
    ) -> None:
        random = self._random
        created_at = round(born, random.choice(_DECIMALS))
        display_name, description = draw_names(random)
        spelling = random.choices(_SPELLINGS, _SPELLING_WEIGHTS)[0]
        updated_at = created_at if random.random() > _EDITED else round(self._now - _MINUTE, 6)
        key_id = draw_key_id(random, self.keys)
        self._pairs[_pair_of(owner, resources)] += 1
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

    def _pair(self, group: str, kind: str) -> tuple[SimulatedOwner | None, Resources]:
        """Return an owner and what it gets a key for, if possible with few keys for it so far."""
        for _ in range(_TRIES):
            owner = self._owner(group)
            resources = self._resources(kind, owner)
            if self._pairs[_pair_of(owner, resources)] < _USUAL_KEYS_OF_A_PAIR:
                break
        return owner, resources

    def _owner(self, group: str) -> SimulatedOwner | None:
        match group:
            case "service-account":
                return self._one_of(self._estate.service_accounts)
            case "deleted":
                return self._one_of(self._estate.deleted_service_accounts)
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

    def _resources(self, kind: str, owner: SimulatedOwner | None) -> Resources:
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


def _pair_of(owner: SimulatedOwner | None, resources: Resources) -> tuple[str, str]:
    return "" if owner is None else owner.id, resources[0].id
