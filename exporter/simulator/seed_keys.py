"""Draws the keys of a seeded organization, group by group."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

from exporter.simulator.model import (
    CLOUD,
    GLOBAL,
    TABLEFLOW,
    UNRECOGNIZED_KIND,
    ItemFormat,
    SimulatedKey,
    SimulatedOwner,
    SimulatedResource,
)
from exporter.simulator.names import draw_key_names
from exporter.simulator.organization import draw_key_id

if TYPE_CHECKING:
    from random import Random

    from exporter.simulator.organization import Entities

Resources: TypeAlias = tuple[SimulatedResource, ...]

_DAY = 86_400.0
_MINUTE = 60.0
_MAX_AGE = 5 * 365 * _DAY
_MEAN_AGE = 200 * _DAY
_MIN_AGE = 120 * _MINUTE  # younger keys are left to the lifecycle
_ROTATION, _UNFINISHED_ROTATION, _ORPHANS = 0.03, 0.008, 0.01
"""Probabilities that more keys for the same owner and resource follow."""
_SEVERAL_RESOURCES = 0.02
_EDITED = 0.05
_LIFETIMES = (30 * _DAY, 90 * _DAY, 180 * _DAY, 365 * _DAY)
_MAX_TIME_EXPIRED = 120 * _DAY
_EXPIRING_WITHIN = 14 * _DAY
_FORMATS = tuple(ItemFormat)
_FORMAT_WEIGHTS = (55, 20, 12, 8, 5)
_DECIMALS = (6, 6, 6, 6, 5, 4, 3, 1, 0)  # the API trims trailing zeros, whole seconds occur
_UNSCOPED = {"cloud": CLOUD, "global": GLOBAL, "tableflow": TABLEFLOW}
_OWNER_SKEW = 1.2  # above 1, the first owners have more keys than the last ones
_USUAL_KEYS_PER_PAIR = 2
_MAX_TRIES = 6  # to find a pair with fewer keys; with many keys there is none


class KeyGenerator:
    """Collects keys in ``keys``.

    ``expiries`` are consumed from the end, one for each key that does not follow another. Each is
    ``expired``, ``expiring`` (within 14 days), ``expiring later`` or ``permanent``.
    """

    def __init__(
        self, entities: Entities, random: Random, *, now: float, expiries: list[str]
    ) -> None:
        self.keys: dict[str, SimulatedKey] = {}
        self._entities = entities
        self._random = random
        self._now = now
        self._expiries = expiries
        self._groups = {
            "service-account": entities.service_accounts,
            "deleted": entities.deleted_service_accounts,
            "user": entities.users,
            "deactivated": entities.deactivated_users,
        }
        """Owners by group; keys of other groups have no owner."""
        self._pairs: Counter[tuple[str, str]] = Counter()
        self._resources_in: dict[tuple[str, str], list[SimulatedResource]] = {}
        """Resources by kind and environment."""
        for resource in entities.resources:
            place = (resource.kind, resource.environment_id)
            self._resources_in.setdefault(place, []).append(resource)
        # An owner works in one environment, or there would be as many pairs as keys.
        self._environment_of = {
            owner.id: random.choice(entities.environments)
            for owner in (*entities.service_accounts, *entities.users)
        }

    def generate(self, group: str, kind: str, number: int) -> None:
        """Create ``number`` keys for a group of owners and a kind of resource."""
        remaining = number
        while remaining:
            owner, resources = self._pair(group, kind)
            created_at, lifetime = self._creation_and_lifetime(group)
            creations = [created_at, *self._followers(created_at)]
            if len(creations) > _USUAL_KEYS_PER_PAIR:
                lifetime = None
            for creation in creations[:remaining]:
                self._create(owner, resources, creation, lifetime)
            remaining -= min(remaining, len(creations))

    def _followers(self, created_at: float) -> list[float]:
        """Return when further keys of the pair were created; usually there are none."""
        random = self._random
        age = self._now - created_at
        drawn = random.random()
        if drawn < _ROTATION:
            return [created_at + random.uniform(0.1, 0.9) * min(age, 90 * _DAY)]
        drawn -= _ROTATION
        if drawn < _UNFINISHED_ROTATION and age > 60 * _DAY:
            # Two rotations without a deletion, the second one at least three weeks ago.
            span = age - 21 * _DAY
            return [created_at + random.uniform(*part) * span for part in ((0.3, 0.5), (0.6, 1.0))]
        drawn -= _UNFINISHED_ROTATION
        if 0 <= drawn < _ORPHANS:
            number = random.choice((1, 2))
            return [created_at + n * random.uniform(2, 9) * _MINUTE for n in range(1, number + 1)]
        return []

    def _creation_and_lifetime(self, group: str) -> tuple[float, float | None]:
        """Return when a key was created, and the seconds until it expires, None for never."""
        random = self._random
        expiry = self._expiries.pop()
        if group == "deactivated" or expiry == "permanent":
            age = random.expovariate(1 / _MEAN_AGE) + _MIN_AGE
            if group == "deactivated":
                age += 365 * _DAY
            return self._now - min(age, _MAX_AGE), None
        lifetime = random.choice(_LIFETIMES)
        match expiry:
            case "expired":
                age = lifetime + random.uniform(_MINUTE, _MAX_TIME_EXPIRED)
            case "expiring":
                age = lifetime - random.uniform(_DAY, _EXPIRING_WITHIN - _DAY)
            case _:
                age = random.uniform(_MIN_AGE, lifetime - _EXPIRING_WITHIN - _DAY)
        return self._now - age, lifetime

    def _create(
        self,
        owner: SimulatedOwner | None,
        resources: Resources,
        creation: float,
        lifetime: float | None,
    ) -> None:
        random = self._random
        created_at = round(creation, random.choice(_DECIMALS))
        display_name, description = draw_key_names(random)
        item_format = random.choices(_FORMATS, _FORMAT_WEIGHTS)[0]
        updated_at = created_at if random.random() > _EDITED else round(self._now - _MINUTE, 6)
        key_id = draw_key_id(random, self.keys)
        self._pairs[_pair_id(owner, resources)] += 1
        self.keys[key_id] = SimulatedKey(
            id=key_id,
            owner=owner,
            resources=resources,
            created_at=created_at,
            updated_at=None if item_format is ItemFormat.MINIMAL else updated_at,
            expires_at=None if lifetime is None else created_at + lifetime,
            display_name=display_name,
            description=description,
            item_format=item_format,
        )

    def _pair(self, group: str, kind: str) -> tuple[SimulatedOwner | None, Resources]:
        """Return an owner and the resources of its next key, preferably a pair with few keys."""
        for _ in range(_MAX_TRIES):
            owner = self._owner(group)
            resources = self._resources(kind, owner)
            if self._pairs[_pair_id(owner, resources)] < _USUAL_KEYS_PER_PAIR:
                break
        return owner, resources

    def _owner(self, group: str) -> SimulatedOwner | None:
        if group == "audit":
            return self._entities.audit_account
        owners = self._groups.get(group)
        if owners is None:
            return None
        return owners[int(len(owners) * self._random.random() ** _OWNER_SKEW)]

    def _resources(self, kind: str, owner: SimulatedOwner | None) -> Resources:
        if kind == "audit":
            assert self._entities.audit_cluster is not None  # noqa: S101 # drawn entities have one
            return (self._entities.audit_cluster,)
        if kind in _UNSCOPED:
            return (_UNSCOPED[kind],)
        environment = self._environment_of.get(owner.id) if owner else None
        if environment is None:
            environment = self._random.choice(self._entities.environments)
        first = self._resource(kind, environment)
        if kind == "kafka" and self._random.random() < _SEVERAL_RESOURCES:
            return (first, self._resource("schema-registry", first.environment_id))
        return (first,)

    def _resource(self, kind: str, environment: str) -> SimulatedResource:
        """Return a resource of ``kind``, in ``environment`` if there is one."""
        if kind == UNRECOGNIZED_KIND:
            return SimulatedResource("something-new", kind, environment)
        found = self._resources_in.get((kind, environment))
        if found is None:
            places = [place for place in self._resources_in if place[0] == kind]
            found = self._resources_in[self._random.choice(places)]
        return self._random.choice(found)


def _pair_id(owner: SimulatedOwner | None, resources: Resources) -> tuple[str, str]:
    return "" if owner is None else owner.id, resources[0].id
