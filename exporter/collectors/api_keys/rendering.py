"""The metrics of the API keys."""

from __future__ import annotations

from itertools import islice, product
from typing import TYPE_CHECKING

from msgspec.structs import astuple

from exporter.collectors.api_keys.own_key import own_key
from exporter.collectors.api_keys.state import API_KEYS_STATE, rules_of
from exporter.collectors.names import DIRECTORY
from exporter.exposition import Part, catalogue, histogram_lines, part, text
from exporter.exposition.rendering import optional
from exporter.inventory import (
    OWNER_KINDS,
    RESOURCE_KINDS,
    UNKNOWN_KIND,
    ChurnKind,
    plausible_creation,
    plausible_expiry,
    youngest,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from exporter.collectors.api_keys.state import ApiKeysState
    from exporter.config import Organization, Policy
    from exporter.exposition.catalogue import Metric
    from exporter.exposition.rendering import Samples
    from exporter.inventory import Directory, Inventory, Key, Owner, Resource
    from exporter.refresh import OrganizationState

METRICS = (
    *catalogue.INVENTORY.metrics,
    catalogue.THRESHOLD,
    catalogue.API_KEYS_CREATED,
    catalogue.API_KEYS_DELETED,
)
_KINDS = list(product(OWNER_KINDS, (*RESOURCE_KINDS, UNKNOWN_KIND)))
_NEW = 86_400.0  # seconds
_MAX_NEW = 20
"""As the help text of the metric says."""


def render(
    state: OrganizationState, before: OrganizationState | None, organization: Organization
) -> Iterator[Part]:
    """Yield the lines of ``state``; takes time in proportion to its pairs, and to per-key metrics.

    The lines of the pairs, by far the most, are not made again if ``before`` has the same counts,
    as it has after a refresh without a change.
    """
    mine = state.get(API_KEYS_STATE)
    yield part(_lasting_samples(state.name, mine, organization.policy))
    inventory = mine.inventory
    if inventory is None:
        return
    previous = None if before is None else before.get(API_KEYS_STATE).inventory
    pairs = catalogue.PAIR_API_KEYS
    same = previous is not None and previous.pairs is inventory.pairs
    lines: dict[str, str | None] = {
        pairs.name: None if same else text.lines(pairs, _pair_samples(state.name, inventory))
    }
    for metric, samples in _inventory_samples(state, mine, inventory):
        lines[metric.name] = text.lines(metric, samples)
    if organization.per_key_metrics:
        for metric, samples in _key_samples(
            state.name,
            mine.listed_keys,
            now=inventory.at,
            display_names=organization.per_key_display_names,
        ):
            lines[metric.name] = text.lines(metric, samples)
    lines |= histogram_lines(catalogue.API_KEY_AGES, state.name, inventory.ages.histograms)
    lines |= histogram_lines(catalogue.MAX_AGE_REMAINING, state.name, inventory.remaining)
    yield Part(lines, mine.fresh_until(organization))


def _lasting_samples(
    name: str, state: ApiKeysState, policy: Policy
) -> Iterator[tuple[Metric, Samples]]:
    """Yield what does not go stale: settings and counters."""
    thresholds = {
        "max_age": policy.max_age,
        "expires_within": policy.expires_within,
        "unused_for": policy.unused_for,
    }
    yield (
        catalogue.THRESHOLD,
        [((name, rule), seconds) for rule, seconds in thresholds.items() if seconds is not None],
    )
    exempt = ("false", "true") if rules_of(policy).has_exempt else ("false",)
    for metric, counts in (
        (catalogue.API_KEYS_CREATED, state.churn.created),
        (catalogue.API_KEYS_DELETED, state.churn.deleted),
    ):
        kinds = {ChurnKind(*kind, each): 0 for each in exempt for kind in _KINDS} | {**counts}
        yield metric, (((name, *kind), count) for kind, count in kinds.items())


def _pair_samples(name: str, inventory: Inventory) -> Samples:
    return (
        ((name, *astuple(owner), *astuple(resource)), count)
        for (owner, resource), count in inventory.pairs.items()
    )


def _inventory_samples(
    state: OrganizationState, mine: ApiKeysState, inventory: Inventory
) -> Iterator[tuple[Metric, Samples]]:
    name = state.name
    yield catalogue.ORGANIZATION_API_KEYS, [((name,), inventory.total)]
    yield (
        catalogue.OWNER_API_KEYS,
        (((name, *astuple(owner)), count) for owner, count in inventory.owners.items()),
    )
    yield (
        catalogue.RESOURCE_API_KEYS,
        (((name, *astuple(resource)), count) for resource, count in inventory.resources.items()),
    )
    ages = inventory.ages
    yield (
        catalogue.OLDEST_API_KEY,
        (((name, *astuple(owner)), at) for owner, at in ages.oldest.items()),
    )
    yield (
        catalogue.NEXT_EXPIRY,
        (((name, *astuple(owner)), at) for owner, at in ages.next_expiry.items()),
    )
    yield catalogue.VIOLATIONS, _violations(name, inventory)
    yield (
        catalogue.EXEMPTED,
        (
            ((name, policy), inventory.findings.exempted.get(policy, 0))
            for policy in inventory.findings.judged
        ),
    )
    yield catalogue.NEW_CLOUD_OR_GLOBAL, _new_cloud_or_global(name, inventory)
    yield catalogue.VANISHED, optional((name,), mine.vanished)
    yield catalogue.VANISHED_RATIO, optional((name,), mine.vanished_ratio)
    yield catalogue.COLLAPSED_PAIRS, [((name,), inventory.collapsed_pairs)]
    yield catalogue.UNREADABLE_ITEMS, [((name,), mine.unreadable)]
    own = own_key(state)
    yield catalogue.CREDENTIAL_CREATED, optional((name,), own.created_at if own else None)
    yield catalogue.CREDENTIAL_EXPIRY, optional((name,), own.expires_at if own else None)
    yield from _info_samples(name, inventory, state.get(DIRECTORY))


def _new_cloud_or_global(name: str, inventory: Inventory) -> Samples:
    found = (
        ((name, key.id, *astuple(key.owner), kind), created)
        for key, created in youngest(inventory.dates, _NEW, now=inventory.at)
        for kind in sorted({each.kind for each in key.resources} & {"cloud", "global"})[-1:]
    )
    return islice(found, _MAX_NEW)


def _violations(name: str, inventory: Inventory) -> Samples:
    findings = inventory.findings
    found = {policy for policy, _ in findings.by_owner}
    for policy in findings.judged:
        if policy == "unknown_owner":
            with_findings = {owner.kind for each, owner in findings.by_owner if each == policy}
            for kind in findings.judged_kinds:
                if kind not in with_findings:
                    yield (name, policy, "", kind), 0
        elif policy not in found:
            yield (name, policy, "", ""), 0
    for (policy, owner), count in findings.by_owner.items():
        yield (name, policy, *astuple(owner)), count


def _info_samples(
    name: str, inventory: Inventory, directory: Directory
) -> Iterator[tuple[Metric, Samples]]:
    """Yield one sample for each id, so that a join finds one and only one."""
    owners: dict[str, Owner] = {}
    resources: dict[tuple[str, str], Resource] = {}
    for owner in (*inventory.owners, *(owner for owner, _ in inventory.pairs)):
        owners.setdefault(owner.id, owner)
    for resource in (*inventory.resources, *(resource for _, resource in inventory.pairs)):
        resources.setdefault((resource.id, resource.environment_id), resource)
    environments = {each.environment_id for each in resources.values() if each.environment_id}
    yield (
        catalogue.OWNER_INFO,
        (
            ((name, *astuple(owner), directory.owner_name(owner.id) or owner.id), 1)
            for owner in owners.values()
        ),
    )
    yield (
        catalogue.OWNER_TEAM_INFO,
        (((name, owner_id, team), 1) for owner_id, team in inventory.teams.items()),
    )
    yield (
        catalogue.RESOURCE_INFO,
        (
            ((name, *astuple(each), directory.resource_name(each.id) or each.id), 1)
            for each in resources.values()
        ),
    )
    yield (
        catalogue.ENVIRONMENT_INFO,
        (
            ((name, each, directory.environments.get(each) or each), 1)
            for each in sorted(environments)
        ),
    )


def _key_samples(
    name: str, keys: Sequence[Key], *, now: float, display_names: bool
) -> Iterator[tuple[Metric, Samples]]:
    yield (
        catalogue.KEY_INFO,
        (
            (
                (
                    name,
                    key.id,
                    key.display_name if display_names else "",
                    *astuple(key.owner),
                    *astuple(each),
                ),
                1,
            )
            for key in keys
            for each in key.resources
        ),
    )
    yield (
        catalogue.KEY_CREATED,
        (
            ((name, key.id), created)
            for key in keys
            if (created := plausible_creation(key.created_at, now=now)) is not None
        ),
    )
    yield (
        catalogue.KEY_EXPIRY,
        (
            ((name, key.id), expires)
            for key in keys
            if (expires := plausible_expiry(key.expires_at, now=now)) is not None
        ),
    )
