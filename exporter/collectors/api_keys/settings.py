"""Translates the settings of an organization into those of the inventory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.inventory import FoldSettings, Override, Rules, Team

if TYPE_CHECKING:
    from exporter.config import Organization, Policy


def fold_settings(organization: Organization) -> FoldSettings:
    """Return how the keys of an organization are folded."""
    return FoldSettings(
        organization.max_pairs, rules_of(organization.policy), teams_of(organization)
    )


def teams_of(organization: Organization) -> tuple[Team, ...]:
    """Return the teams of a configuration as those of the inventory."""
    return tuple(Team(each.name, each.owners, each.resources) for each in organization.teams)


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
        unused_for=policy.unused_for,
        exempt_owners=policy.exempt.owners,
        exempt_resources=policy.exempt.resources,
        exempt_api_keys=policy.exempt.api_keys,
        overrides=tuple(
            Override(
                rules_of(policy.model_copy(update={**each.rules, "overrides": ()})),
                each.owners,
                each.resources,
            )
            for each in policy.overrides
        ),
    )
