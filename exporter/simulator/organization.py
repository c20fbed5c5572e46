"""The mutable organization that holds the records, usable without HTTP."""

from __future__ import annotations

import uuid
from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from exporter.simulator.records import SimulatedKey, Spelling

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from exporter.simulator.records import SimulatedOwner, SimulatedResource

_KEY_ID_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_KEY_ID_LENGTH = 16  # in practice; the provider promises nothing (facts §1.3)


@dataclass(frozen=True)
class Estate:
    """Who and what an organization consists of, besides its keys."""

    environments: tuple[str, ...] = ()
    resources: tuple[SimulatedResource, ...] = ()
    """Clusters and regions in those environments."""
    service_accounts: tuple[SimulatedOwner, ...] = ()
    users: tuple[SimulatedOwner, ...] = ()
    deactivated_users: tuple[SimulatedOwner, ...] = ()
    """Own keys still, and are in no list of users (facts §1.4)."""
    audit_account: SimulatedOwner | None = None
    """Owns the keys for the audit log; in no list of service accounts (facts §1.4)."""
    audit_cluster: SimulatedResource | None = None
    """Run by the provider, in no environment (facts §1.5)."""


class SimulatedOrganization:
    """An organization's keys in the order in which the API lists them: by id.

    The same ``seed`` and the same calls give the same ids. ``id``: a UUID, drawn if not given.
    """

    def __init__(
        self,
        keys: Iterable[SimulatedKey] = (),
        *,
        seed: int = 0,
        id: str | None = None,  # noqa: A002 # the field's name in the API
        estate: Estate | None = None,
    ) -> None:
        self._random = Random(f"organization {seed}")
        drawn = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        self.id = drawn if id is None else id
        self.estate = Estate() if estate is None else estate
        self._keys: dict[str, SimulatedKey] = {}
        for key in keys:
            self._reject_known(key.id)
            self._keys[key.id] = key
        self._ids = sorted(self._keys)
        self._snapshot: dict[str, SimulatedKey] | None = None

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, key_id: object) -> bool:
        return key_id in self._keys

    @property
    def keys(self) -> dict[str, SimulatedKey]:
        """The keys by id, in the order of the listing.

        A snapshot: the organization changes through its methods, never through this.
        """
        if self._snapshot is None:
            self._snapshot = {key_id: self._keys[key_id] for key_id in self._ids}
        return self._snapshot

    def key(self, key_id: str) -> SimulatedKey:
        """Return the key with that id. Raises ``KeyError``."""
        return self._keys[key_id]

    def key_at(self, index: int) -> SimulatedKey:
        """Return the key at a place of the listing, counted from 0. Raises ``IndexError``."""
        return self._keys[self._ids[index]]

    def after(self, key_id: str) -> Iterator[SimulatedKey]:
        """Return the keys that are listed behind ``key_id``, whether or not that one exists."""
        ids = self._ids
        return (self._keys[ids[index]] for index in range(bisect_right(ids, key_id), len(ids)))

    def create(
        self,
        *,
        owner: SimulatedOwner | None,
        resources: tuple[SimulatedResource, ...],
        now: float,
        expires_at: float | None = None,
        display_name: str | None = "",
        description: str | None = "",
        spelling: Spelling = Spelling.CURRENT,
    ) -> SimulatedKey:
        """Add a key with an id of its own, created at the Unix time ``now``, and return it."""
        key_id = draw_key_id(self._random, self._keys)
        created_at = round(now, 6)
        key = SimulatedKey(
            id=key_id,
            owner=owner,
            resources=resources,
            created_at=created_at,
            updated_at=created_at,
            expires_at=expires_at,
            display_name=display_name,
            description=description,
            spelling=spelling,
        )
        self.add(key)
        return key

    def add(self, key: SimulatedKey) -> None:
        """Add a key as it is. Raises ``ValueError`` if its id is taken."""
        self._reject_known(key.id)
        self._keys[key.id] = key
        insort(self._ids, key.id)
        self._snapshot = None

    def delete(self, key_id: str) -> SimulatedKey:
        """Remove and return a key. Raises ``KeyError`` if there is none."""
        key = self._keys.pop(key_id)
        del self._ids[bisect_left(self._ids, key_id)]
        self._snapshot = None
        return key

    def replace(self, key: SimulatedKey) -> None:
        """Put ``key`` in the place of the one with its id. Raises ``KeyError`` if there is none."""
        if key.id not in self._keys:
            raise KeyError(key.id)
        self._keys[key.id] = key
        self._snapshot = None

    def _reject_known(self, key_id: str) -> None:
        if key_id in self._keys:
            raise ValueError(f"there is a key {key_id} already")


def draw_key_id(random: Random, taken: Container[str]) -> str:
    """Return an id as the provider makes them that is not in ``taken``."""
    while True:
        key_id = "".join(random.choices(_KEY_ID_ALPHABET, k=_KEY_ID_LENGTH))
        if key_id not in taken:
            return key_id
