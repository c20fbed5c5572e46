"""Assigns organizations to shards, which are exporters that share one configuration."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

_DIGITS = 15
"""Hexadecimal digits of the hash. 60 bits are positive in any signed 64-bit integer."""
_MULTIPLIER = 2862933555777941757
_MASK = 2**64 - 1


@dataclass(frozen=True)
class Shard:
    """One of ``total`` exporters that share the organizations. A total of 1 means no sharding."""

    ordinal: int = 0
    """From 0 to less than ``total``."""
    total: int = 1

    @property
    def is_one_of_several(self) -> bool:
        """Whether other exporters have some of the organizations."""
        return self.total > 1

    def has(self, organization: str) -> bool:
        """Whether the organization with this name belongs to the shard."""
        return shard_of(organization, total=self.total) == self.ordinal


UNSHARDED = Shard()
"""All organizations."""


def shard_of(organization: str, *, total: int) -> int:
    """Return the ordinal of the shard of an organization by its name.

    Jump consistent hash (Lamping and Veach, 2014, "A Fast, Minimal Memory, Consistent Hash
    Algorithm"), in integers, which a template can compute too. With one more shard, an organization
    stays where it is or moves to the new shard.
    """
    key = int(sha256(organization.encode()).hexdigest()[:_DIGITS], 16)
    shard, jump = -1, 0
    while jump < total:
        shard = jump
        key = (key * _MULTIPLIER + 1) & _MASK
        jump = ((shard + 1) << 31) // ((key >> 33) + 1)
    return shard
