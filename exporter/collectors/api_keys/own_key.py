"""The exporter's own API key, as the listing shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.collectors.api_keys.state import API_KEYS_STATE
from exporter.inventory import plausible_creation, plausible_expiry

if TYPE_CHECKING:
    from exporter.refresh import OrganizationState


@dataclass(frozen=True)
class OwnKey:
    """The API key that the exporter uses for an organization. Times are Unix seconds."""

    created_at: float | None
    """None without a plausible creation time."""
    expires_at: float | None
    """None if it does not expire."""


def own_key(state: OrganizationState) -> OwnKey | None:
    """Return the exporter's own API key; None if the latest listing does not contain it.

    An identity pool has none, and filters or a narrow role can hide it.
    """
    mine = state.get(API_KEYS_STATE)
    inventory = mine.inventory
    key = None if state.api_key_id is None else mine.keys.get(state.api_key_id)
    if inventory is None or key is None:
        return None
    return OwnKey(
        plausible_creation(key.created_at, now=inventory.at),
        plausible_expiry(key.expires_at, now=inventory.at),
    )
