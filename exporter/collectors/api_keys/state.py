"""The slice of the state that the API keys collector owns, and how its inventory is derived."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from exporter.inventory import at_time, fold, with_environments
from exporter.refresh import Slice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exporter.config import Organization
    from exporter.inventory import ChurnKind, Directory, FoldSettings, Inventory, Key, Usage


@dataclass(frozen=True)
class ChurnTotals:
    """Keys created and deleted since the start.

    Keys are counted as exempt or not when they appear or disappear. Later settings do not move
    them, because a counter never decreases.
    """

    created: Mapping[ChurnKind, int] = field(default_factory=lambda: MappingProxyType({}))
    deleted: Mapping[ChurnKind, int] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Folded:
    """The result of folding the keys of one listing."""

    inventory: Inventory
    listing_count: int
    """As in :class:`ApiKeysState`."""
    settings: FoldSettings
    """How it was folded."""
    directory: Directory
    """What the environments and owners were looked up in."""
    usage: Usage
    """What the activity of owners was looked up in."""
    source: Mapping[str, Key]
    """The keys as they were listed."""

    def is_from(
        self,
        source: Mapping[str, Key],
        settings: FoldSettings,
        directory: Directory,
        usage: Usage,
    ) -> bool:
        """Whether folding these would give the same, apart from the time."""
        return (
            self.source is source
            and self.directory is directory
            and self.usage is usage
            and self.settings == settings
        )


@dataclass(frozen=True)
class ApiKeysState:
    """The latest complete listing of the keys."""

    keys: Mapping[str, Key] = field(default_factory=lambda: MappingProxyType({}))
    """By id."""
    unreadable: int = 0
    """Items that could not be read; none of the counts includes them."""
    last_readable: Mapping[str, Key] = field(default_factory=lambda: MappingProxyType({}))
    """Keys whose items could be read before but not now, as they were; they still exist."""
    vanished: int | None = None
    """Keys of the previous listing that this one lacks; None before the second listing."""
    previous_total: int = 0
    """Keys of the previous listing."""
    churn: ChurnTotals = field(default_factory=ChurnTotals)
    listing_count: int = 0
    """Complete listings since the start."""
    listing_began: float = 0.0
    """Monotonic seconds when the listing began; its first page is that old."""
    folded: Folded | None = None

    @property
    def inventory(self) -> Inventory | None:
        """The inventory of the keys; None before the first listing."""
        return None if self.folded is None else self.folded.inventory

    @property
    def listed_keys(self) -> Sequence[Key]:
        """The keys with the environments of their resources, as in the inventory."""
        return () if self.folded is None else self.folded.inventory.keys

    def fresh_until(self, organization: Organization) -> float:
        """Return the monotonic time from which on the inventory is too old to be shown."""
        return self.listing_began + organization.stale_after

    @property
    def vanished_ratio(self) -> float | None:
        """``vanished`` divided by ``previous_total``, 0 to 1."""
        return None if self.vanished is None else self.vanished / max(1, self.previous_total)


API_KEYS_STATE = Slice("api_keys", ApiKeysState())


def with_inventory(
    state: ApiKeysState, settings: FoldSettings, directory: Directory, usage: Usage, *, now: float
) -> ApiKeysState:
    """Return ``state`` with its inventory at the Unix time ``now``; as it is if nothing changed.

    The keys are folded again only if they, the ``directory`` or the ``settings`` have changed, or
    if a creation time that was in the future can be used from now on.
    """
    before = state.folded
    if not state.listing_count:
        return state
    if before and before.is_from(state.keys, settings, directory, usage):
        if before.listing_count == state.listing_count:
            return state
        if now < before.inventory.valid_until:
            inventory = at_time(before.inventory, now=now)
            folded = replace(before, inventory=inventory, listing_count=state.listing_count)
            return replace(state, folded=folded)
    keys = with_environments(state.keys.values(), directory)
    inventory = fold(keys, settings, now=now, directory=directory, usage=usage)
    folded = Folded(inventory, state.listing_count, settings, directory, usage, state.keys)
    return replace(state, folded=folded)
