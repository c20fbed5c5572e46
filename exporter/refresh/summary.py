"""What a person wants to know of an organization: for the status page and for ``check``."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import nlargest
from typing import TYPE_CHECKING

from exporter.inventory.quotas import counted_usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.inventory import Inventory
    from exporter.refresh.state import OrganizationState, Quota

_MOST = 5


@dataclass(frozen=True)
class Count:
    """So many of something that has an id and perhaps a name."""

    id: str
    name: str
    """Empty where it is not known."""
    count: int


@dataclass(frozen=True)
class OldKey:
    """One of the oldest keys."""

    id: str
    owner: Count
    """Whose it is; ``count`` is how many keys that owner has."""
    created_at: float
    """Unix seconds."""


@dataclass(frozen=True)
class PolicyCount:
    """The findings of one policy."""

    policy: str
    count: int
    exempted: int
    judged: bool
    """Whether there was enough to judge by."""
    not_judged: Sequence[str] = ()
    """Kinds of owners for which there was not, although they have keys."""


@dataclass(frozen=True)
class Headroom:
    """How much of a quota is used."""

    quota: Quota
    name: str
    """Of what it is about; empty where that is the organization, or not known."""
    used: int

    @property
    def about(self) -> Sequence[str]:
        """Ids of the owner, resource and environment; empty for the organization's own quota."""
        ids = (self.quota.owner_id, self.quota.resource_id, self.quota.environment_id)
        return [each for each in ids if each]

    @property
    def ratio(self) -> float:
        """Used ÷ limit; 1 where the limit is 0."""
        return self.used / self.quota.limit if self.quota.limit > 0 else 1.0


@dataclass(frozen=True)
class Summary:
    """The facts, each list with the most urgent first."""

    top_owners: Sequence[Count]
    oldest_keys: Sequence[OldKey]
    policies: Sequence[PolicyCount]
    quotas: Sequence[Headroom]


def summarize(state: OrganizationState, inventory: Inventory) -> Summary:
    """Return the summary of ``state``, whose inventory is ``inventory``."""
    names = state.directory
    findings = inventory.findings
    owners = {owner.id: count for owner, count in inventory.owners.items() if owner.id}

    def owner(owner_id: str) -> Count:
        return Count(owner_id, names.owner_name(owner_id) or "", owners.get(owner_id, 0))

    unjudged: tuple[str, ...] = ()
    if "unknown_owner" in findings.judged:
        kinds = {"service-account", "user"} & inventory.owners_by_kind.keys()
        unjudged = tuple(sorted(kinds - set(findings.judged_kinds)))
    top = nlargest(_MOST, owners, key=lambda owner_id: (owners[owner_id], owner_id))
    counts = dict.fromkeys(findings.active, 0)
    for (policy, _), count in findings.by_owner.items():
        counts[policy] += count
    return Summary(
        top_owners=[owner(each) for each in top],
        oldest_keys=[
            OldKey(key.id, owner(key.owner.id), created_at)
            for key, created_at in inventory.oldest_keys
        ],
        policies=[
            PolicyCount(
                policy,
                count,
                findings.exempted.get(policy, 0),
                judged=policy in findings.judged,
                not_judged=unjudged if policy == "unknown_owner" else (),
            )
            for policy, count in counts.items()
        ],
        quotas=_headroom(state, inventory),
    )


def _headroom(state: OrganizationState, inventory: Inventory) -> list[Headroom]:
    found = []
    for quota in state.quotas:
        used = quota.usage
        if used is None and not state.filtered:
            used = counted_usage(
                inventory, quota.id, owner_id=quota.owner_id, cluster_id=quota.resource_id
            )
        if used is not None:
            names = state.directory
            name = names.owner_name(quota.owner_id) or names.resource_name(quota.resource_id)
            found.append(Headroom(quota, name or "", used))
    return nlargest(_MOST, found, key=lambda each: each.ratio)
