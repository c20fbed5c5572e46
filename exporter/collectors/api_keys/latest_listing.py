"""The keys in memory, for the pages that show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.collectors.api_keys.state import API_KEYS_STATE
from exporter.inventory import POLICIES, violating_keys_at
from exporter.report import LatestListing, OrganizationKeys

if TYPE_CHECKING:
    from exporter.clock import Clock
    from exporter.config import Organization
    from exporter.refresh import OrganizationState


def latest_listing(
    state: OrganizationState, organization: Organization, *, clock: Clock
) -> LatestListing:
    """Return the latest complete listing in ``state``.

    Policies and ages are those of the published metrics: evaluated with the same names, and as of
    the same time.
    """
    mine = state.get(API_KEYS_STATE)
    folded = mine.folded
    if folded is None:
        return LatestListing(state.name)
    now = clock.monotonic()
    began = clock.wall() - (now - mine.listing_began)
    if now >= mine.fresh_until(organization):
        return LatestListing(state.name, began)
    inventory = folded.inventory
    findings = inventory.findings
    return LatestListing(
        state.name,
        began,
        OrganizationKeys(
            state.name,
            inventory.keys,
            violating_keys_at(inventory.policy_inputs, now=inventory.at),
            folded.directory,
            at=inventory.at,
            teams=inventory.teams,
        ),
        unevaluated=frozenset(findings.active) - {*findings.evaluated},
        disabled=frozenset(POLICIES) - {*findings.active},
    )
