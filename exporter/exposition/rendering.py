"""One organization's state to lines: once per refresh, off the event loop."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from msgspec.structs import astuple

from exporter.exposition import catalogue, text
from exporter.exposition.document import Chunks, chunks
from exporter.inventory import (
    OWNER_KINDS,
    RESOURCE_KINDS,
    UNKNOWN_KIND,
    believable_creation,
    believable_expiry,
    youngest,
)
from exporter.inventory.quotas import counted_usage
from exporter.refresh import REFRESH_FAILURE_REASONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    from exporter.exposition.catalogue import Metric
    from exporter.inventory import Directory, Histogram, Inventory, Owner, Resource
    from exporter.inventory.inventory import Pair
    from exporter.refresh import OrganizationState, Quota

    Samples: TypeAlias = Iterable[tuple[Sequence[str], float]]

_KINDS = [
    (owner, resource) for owner in OWNER_KINDS for resource in (*RESOURCE_KINDS, UNKNOWN_KIND)
]
_NEW = 86_400.0
_MOST_NEW = 20
"""As the catalogue says of new keys for Cloud or for everything."""


@dataclass(frozen=True)
class Part:
    """Lines that grow old together."""

    chunks: Chunks
    fresh_until: float = float("inf")
    """Monotonic seconds; from then on they are too old to be served."""


@dataclass(frozen=True)
class Rendered:
    """One organization's lines."""

    inventory: Part
    quotas: Part
    known: Part
    pairs: Mapping[Pair, int] | None = None
    """What the lines of the pairs were made of."""


NOTHING = Rendered(Part({}), Part({}), Part({}))
"""Of which nothing can be kept."""


def render(state: OrganizationState, before: Rendered = NOTHING) -> Rendered:
    """Return the lines of ``state``. Takes time in proportion to its pairs, and keys if wanted.

    Chunks are those of ``before`` where the lines are the same. The lines of the pairs, by far the
    most, are not even made if the counts are still the same ones, as they are after a refresh that
    brought no change.
    """
    inventory = state.inventory
    lines: dict[str, str] = {}
    kept: Chunks = {}
    if inventory is not None:
        pairs = catalogue.PAIR_API_KEYS
        if before.pairs is inventory.pairs:
            kept = {key: each for key, each in before.inventory.chunks.items() if key == pairs.name}
        else:
            lines[pairs.name] = text.lines(pairs, _pair_samples(state.name, inventory))
        for metric, samples in _inventory_samples(state, inventory):
            lines[metric.name] = text.lines(metric, samples)
        lines |= _histogram_lines(catalogue.AGES, state.name, inventory.ages.histograms)
        remaining = inventory.remaining
        lines |= _histogram_lines(catalogue.MAX_AGE_REMAINING, state.name, remaining)
    return Rendered(
        inventory=Part(chunks(lines, before.inventory.chunks) | kept, state.fresh_until),
        quotas=Part(_chunks(_quota_samples(state), before.quotas), state.quotas_until),
        known=Part(_chunks(_known_samples(state), before.known)),
        pairs=None if inventory is None else inventory.pairs,
    )


def _pair_samples(name: str, inventory: Inventory) -> Samples:
    return (
        ((name, *astuple(owner), *astuple(resource)), count)
        for (owner, resource), count in inventory.pairs.items()
    )


def _chunks(samples: Iterable[tuple[Metric, Samples]], before: Part) -> Chunks:
    lines = {metric.name: text.lines(metric, values) for metric, values in samples}
    return chunks(lines, before.chunks)


def _inventory_samples(
    state: OrganizationState, inventory: Inventory
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
    yield catalogue.OLDEST, (((name, *astuple(owner)), at) for owner, at in ages.oldest.items())
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
    yield catalogue.VANISHED, _where_known((name,), state.vanished)
    yield catalogue.VANISHED_RATIO, _where_known((name,), state.vanished_ratio)
    yield catalogue.COLLAPSED_PAIRS, [((name,), inventory.collapsed_pairs)]
    yield catalogue.UNREADABLE_ITEMS, [((name,), state.unreadable)]
    yield from _info_samples(name, inventory, state.directory)
    if state.per_key_metrics:
        yield from _key_samples(state, now=inventory.at)
    if not state.filtered:
        counted = (
            (
                quota,
                counted_usage(
                    inventory, quota.id, owner_id=quota.owner_id, cluster_id=quota.resource_id
                ),
            )
            for quota in state.quotas
        )
        yield (
            catalogue.QUOTA_COUNTED,
            ((_quota(name, quota), usage) for quota, usage in counted if usage is not None),
        )


def _new_cloud_or_global(name: str, inventory: Inventory) -> Samples:
    found = (
        ((name, key.id, *astuple(key.owner), kind), created)
        for key, created in youngest(inventory.dates, _NEW, now=inventory.at)
        for kind in sorted({each.kind for each in key.resources} & {"cloud", "global"})[-1:]
    )
    return islice(found, _MOST_NEW)


def _violations(name: str, inventory: Inventory) -> Samples:
    findings = inventory.findings
    found = {policy for policy, _ in findings.by_owner}
    for policy in findings.judged:
        if policy == "unknown_owner":
            accused = {owner.kind for each, owner in findings.by_owner if each == policy}
            for kind in findings.judged_kinds:
                if kind not in accused:
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


def _key_samples(state: OrganizationState, *, now: float) -> Iterator[tuple[Metric, Samples]]:
    name, keys = state.name, state.placed
    yield (
        catalogue.KEY_INFO,
        (
            ((name, key.id, *astuple(key.owner), *astuple(each)), 1)
            for key in keys
            for each in key.resources
        ),
    )
    yield (
        catalogue.KEY_CREATED,
        (
            ((name, key.id), created)
            for key in keys
            if (created := believable_creation(key.created_at, now=now)) is not None
        ),
    )
    yield (
        catalogue.KEY_EXPIRY,
        (
            ((name, key.id), expires)
            for key in keys
            if (expires := believable_expiry(key.expires_at, now=now)) is not None
        ),
    )


def _histogram_lines(
    metric: Metric, name: str, histograms: Mapping[str, Histogram]
) -> dict[str, str]:
    """Return the lines of a gauge histogram by the key of :func:`text.families`, in all formats."""
    whole = ""
    parts = dict.fromkeys(("_bucket", "_gcount", "_gsum"), "")
    for owner_kind, histogram in histograms.items():
        at = (name, owner_kind)
        bounds = zip(
            (*map(text.number, histogram.bounds), "+Inf"),
            (*histogram.buckets, histogram.count),
            strict=True,
        )
        buckets = text.lines(
            metric, (((*at, le), count) for le, count in bounds), suffix="_bucket", label="le"
        )
        parts["_bucket"] += buckets
        whole += buckets
        for suffix, value in (("count", histogram.count), ("sum", histogram.sum)):
            whole += text.lines(metric, [(at, value)], suffix=f"_{suffix}")
            parts[f"_g{suffix}"] += text.lines(metric, [(at, value)], suffix=f"_g{suffix}")
    return {metric.name: whole, **{metric.name + key: lines for key, lines in parts.items()}}


def _known_samples(state: OrganizationState) -> Iterator[tuple[Metric, Samples]]:
    name = state.name
    yield catalogue.THRESHOLD, [((name, policy), at) for policy, at in state.thresholds.items()]
    for metric, counts in (
        (catalogue.CREATED, state.churn.created),
        (catalogue.DELETED, state.churn.deleted),
    ):
        kinds = dict.fromkeys(_KINDS, 0) | {**counts}
        yield metric, (((name, *kind), count) for kind, count in kinds.items())
    directory = state.directory
    if directory.organization_id:
        at = (name, directory.organization_id, directory.organization_name)
        yield catalogue.ORGANIZATION_INFO, [(at, 1)]
    yield from _refresh_samples(state)


def _quota_samples(state: OrganizationState) -> Iterator[tuple[Metric, Samples]]:
    name = state.name
    yield catalogue.QUOTA_LIMIT, ((_quota(name, each), each.limit) for each in state.quotas)
    yield (
        catalogue.QUOTA_USAGE,
        ((_quota(name, each), each.usage) for each in state.quotas if each.usage is not None),
    )


def _refresh_samples(state: OrganizationState) -> Iterator[tuple[Metric, Samples]]:
    name, collectors = state.name, state.collectors.items()
    ended = [(each, one) for each, one in collectors if one.finished is not None]
    yield catalogue.UP, [((name, each), one.up) for each, one in ended]
    yield (
        catalogue.STALE_AFTER,
        [((name, each), seconds) for each, seconds in state.stale_after.items()],
    )
    for metric, values in (
        (catalogue.LAST_SUCCESS, {each: one.succeeded for each, one in ended}),
        (catalogue.REFRESH_DURATION, {each: one.duration for each, one in ended}),
    ):
        yield (
            metric,
            [((name, each), value) for each, value in values.items() if value is not None],
        )
    yield (
        catalogue.ERROR_RATIO,
        [
            ((name, endpoint), ratio)
            for _, one in ended
            for endpoint, ratio in one.error_ratios.items()
        ],
    )
    yield catalogue.REFRESHES, [((name, each), one.refreshes) for each, one in collectors]
    yield (
        catalogue.REFRESH_FAILURES,
        [
            ((name, each, reason), one.failures.get(reason, 0))
            for each, one in collectors
            for reason in REFRESH_FAILURE_REASONS
        ],
    )
    failing = [(each, one.failure.reason) for each, one in ended if one.failure is not None]
    yield catalogue.REFRESH_FAILING, [((name, *each), 1) for each in failing]


def _where_known(labels: tuple[str, ...], value: float | None) -> Samples:
    return [] if value is None else [(labels, value)]


def _quota(name: str, quota: Quota) -> tuple[str, ...]:
    place = (quota.owner_id, quota.environment_id, quota.resource_id)
    return (name, quota.id, quota.scope, *place)
