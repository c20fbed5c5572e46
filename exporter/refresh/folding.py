"""State to inventory: whenever the keys or what is known besides them have changed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.inventory import FoldSettings, Rules, fold, later, place

if TYPE_CHECKING:
    from exporter.config import Organization, Policy
    from exporter.refresh.state import OrganizationState


def fold_anew(
    state: OrganizationState, organization: Organization, *, now: float
) -> OrganizationState:
    """Return ``state`` with the inventory of its keys at the Unix time ``now``."""
    settings = FoldSettings(organization.max_pairs, rules_of(organization.policy))
    keys = place(state.keys.values(), state.directory)
    inventory = fold(keys, settings, now=now, directory=state.directory)
    return replace(state, inventory=inventory, placed=keys)


def fold_later(
    state: OrganizationState, organization: Organization, *, now: float
) -> OrganizationState:
    """Return ``state`` with its inventory at the Unix time ``now``.

    Its keys and its directory are still those that the inventory was made of.
    """
    inventory = state.inventory
    if (
        inventory is None
        or inventory.basis.rules != rules_of(organization.policy)
        or now >= inventory.holds_until
    ):
        return fold_anew(state, organization, now=now)
    return replace(state, inventory=later(inventory, now=now))


def rules_of(policy: Policy) -> Rules:
    """Return the policy of a configuration as the rules of the inventory."""
    return Rules(
        max_age=policy.max_age,
        expires_within=policy.expires_within,
        expired=bool(policy.expired),
        max_keys_per_owner_and_resource=policy.max_keys_per_owner_and_resource,
        user_owned=bool(policy.user_owned),
        undescribed=bool(policy.undescribed),
        unknown_owner=bool(policy.unknown_owner),
        exempt_owners=policy.exempt.owners,
        exempt_resources=policy.exempt.resources,
        exempt_api_keys=policy.exempt.api_keys,
    )
