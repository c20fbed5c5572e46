"""The keys in memory as the page of the keys shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.collectors.api_keys.state import API_KEYS_STATE
from exporter.inventory import POLICIES, violating_keys_at
from exporter.report import KeyListing, OrganizationKeys

if TYPE_CHECKING:
    from exporter.clock import Clock
    from exporter.config import Organization
    from exporter.refresh import OrganizationState


def key_listing(
    state: OrganizationState, organization: Organization, *, clock: Clock
) -> KeyListing:
    """Return the latest complete listing in ``state``.

    Policies and ages are those of the published metrics: judged with the same names, and as of the
    same time.
    """
    mine = state.get(API_KEYS_STATE)
    folded = mine.folded
    if folded is None:
        return KeyListing(state.name)
    age = clock.monotonic() - mine.listing_began
    began = clock.wall() - age
    if age >= organization.stale_after:
        return KeyListing(state.name, began)
    inventory = folded.inventory
    findings = inventory.findings
    return KeyListing(
        state.name,
        began,
        OrganizationKeys(
            state.name,
            inventory.keys,
            violating_keys_at(inventory.policy_inputs, now=inventory.at),
            folded.directory,
            at=inventory.at,
        ),
        unjudged=frozenset(findings.active) - {*findings.judged},
        disabled=frozenset(POLICIES) - {*findings.active},
    )
