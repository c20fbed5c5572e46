"""The expected values of simulated organizations, computed without the exporter's code."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.grafana.history import DAY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.simulator import (
        SimulatedKey,
        SimulatedOrganization,
        SimulatedOwner,
        SimulatedQuota,
        SimulatedResource,
    )

POLICIES = (
    "max_age",
    "expires_within",
    "expired",
    "max_keys_per_owner_and_resource",
    "user_owned",
    "undescribed",
    "unknown_owner",
    "unused_for",
)
MAX_AGE, EXPIRES_WITHIN, MOST_KEYS = 90 * DAY, 14 * DAY, 2
"""The exporter's defaults."""
UNUSED_FOR, REMEMBERED = 3 * DAY, 7 * DAY
"""The policy of organizations with usage, and for how long the Metrics API answers."""
_WITH_USAGE = "acme"
_CLUSTERS = {"kafka", "schema-registry", "ksql"}
Labels = tuple[str, ...]


@dataclass(frozen=True)
class Finding:
    """A key that violates a policy."""

    policy: str
    organization: str
    owner: SimulatedOwner
    exempted: bool


@dataclass(frozen=True)
class Truth:
    """The expected values of ``organizations``, by name, at the Unix time ``now``.

    ``lenient``, if it is among them, has no policy. The findings of the owner ``exempt`` are
    exempt.
    """

    organizations: Mapping[str, SimulatedOrganization]
    exempt: str
    now: float

    @property
    def evaluated(self) -> list[str]:
        """The organizations that have a policy."""
        return [name for name in self.organizations if name != "lenient"]

    def keys(self) -> Iterator[tuple[str, SimulatedKey]]:
        """Yield every key with its organization's name."""
        for name, organization in self.organizations.items():
            for key in organization.keys.values():
                yield name, key

    def owners(self) -> dict[Labels, int]:
        """Keys by organization, owner id and owner kind; Confluent owns its internal keys."""
        return Counter((name, *owner_of(key)) for name, key in self.keys())

    def resources(self) -> dict[Labels, int]:
        """Keys by organization, resource id, resource kind and environment."""
        return Counter(
            (name, *self._place(name, key, each))
            for name, key in self.keys()
            for each in key.resources
        )

    def pairs(self) -> dict[Labels, int]:
        """Like ``resources``, and by owner id and owner kind."""
        return Counter(
            (name, *self._place(name, key, each), *owner_of(key))
            for name, key in self.keys()
            for each in key.resources
        )

    def kinds(self) -> dict[Labels, int]:
        """Keys by resource kind and owner kind."""
        found: Counter[Labels] = Counter()
        for (_, _, resource_kind, _, _, owner_kind), count in self.pairs().items():
            found[resource_kind, owner_kind] += count
        return found

    def _place(
        self, name: str, key: SimulatedKey, resource: SimulatedResource
    ) -> tuple[str, str, str]:
        cluster = self.organizations[name].clusters.get(resource.id)
        shown = key.visible_environment_id(resource)
        return resource.id, resource.kind, cluster.environment_id if cluster else shown

    def ages(self) -> list[float]:
        """The ages of the keys in seconds."""
        return [self.now - key.created_at for _, key in self.keys()]

    def oldest(self) -> dict[Labels, float]:
        """By owner, as ``owners``: the age of the oldest key in days."""
        found: dict[Labels, float] = defaultdict(float)
        for name, key in self.keys():
            owner = name, *owner_of(key)
            found[owner] = max(found[owner], (self.now - key.created_at) / DAY)
        return found

    def next_expiries(self) -> dict[Labels, float]:
        """By owner, as ``owners``: days until the next key expires, if one does."""
        found: dict[Labels, float] = {}
        for name, key in self.keys():
            if key.expires_at is not None and key.expires_at > self.now:
                owner, left = (name, *owner_of(key)), (key.expires_at - self.now) / DAY
                found[owner] = min(found.get(owner, left), left)
        return found

    def too_old_within(self, seconds: float) -> dict[Labels, int]:
        """By organization with a policy: keys that reach the maximum age within ``seconds``."""
        return {
            (name,): sum(
                key.owner is not None
                and key.owner.id != self.exempt
                and key.created_at + MAX_AGE - self.now <= seconds
                for key in self.organizations[name].keys.values()
            )
            for name in self.evaluated
        }

    def quotas(self) -> dict[Labels, tuple[float, float]]:
        """Usage and limit of the API key quotas that have both.

        By organization, quota, scope, owner, environment and resource.
        """
        return {
            (
                name,
                quota.id,
                quota.scope.lower(),
                quota.owner_id,
                quota.environment_id,
                quota.resource_id,
            ): (usage, quota.limit)
            for name, organization in self.organizations.items()
            for quota in organization.quotas()
            if "api_keys" in quota.id and (usage := _usage(organization, quota)) is not None
        }

    def findings(self) -> Iterator[Finding]:
        """Yield every finding, including exempt ones."""
        for name in self.evaluated:
            organization = self.organizations[name]
            surplus = set(_surplus(organization))
            known = {*organization.users, *organization.service_accounts}
            for key in organization.keys.values():
                if key.owner is None:
                    continue
                left = float("inf") if key.expires_at is None else key.expires_at - self.now
                described = (key.display_name or "").strip() or (key.description or "").strip()
                audits = key.owner == organization.entities.audit_account
                broken = {
                    "max_age": self.now - key.created_at > MAX_AGE,
                    "expires_within": 0 < left <= EXPIRES_WITHIN,
                    "expired": left <= 0,
                    "max_keys_per_owner_and_resource": key.id in surplus,
                    "user_owned": key.owner.kind == "user",
                    "undescribed": not described,
                    "unknown_owner": key.owner.id not in known and not audits,
                    "unused_for": self._is_unused(name, key),
                }
                for policy, is_broken in broken.items():
                    if is_broken:
                        yield Finding(policy, name, key.owner, key.owner.id == self.exempt)

    def by_policy(self) -> dict[str, int]:
        """The findings that are not exempt; empty if no organization has a policy."""
        found = Counter(each.policy for each in self.findings() if not each.exempted)
        evaluated = POLICIES if _WITH_USAGE in self.evaluated else POLICIES[:-1]
        return {policy: found[policy] for policy in evaluated} if self.evaluated else {}

    def last_active(self) -> dict[Labels, float]:
        """By organization, owner id, owner kind and Kafka cluster: days since the last request."""
        owners = {owner[:2]: owner for owner in self.owners()}
        return {
            (*owners[name, owner_id], cluster): (self.now - end) / DAY
            for name, organization in self.organizations.items()
            for owner_id, cluster in organization.usage.pairs()
            if name == _WITH_USAGE
            and (name, owner_id) in owners
            and (end := self._last_active(name, owner_id, cluster)) is not None
        }

    def _last_active(self, name: str, owner_id: str, cluster: str) -> float | None:
        since = self.now - REMEMBERED
        return self.organizations[name].usage.last_active(
            owner_id, cluster, at=self.now, since=since
        )

    def unevaluated(self) -> dict[Labels, int]:
        """By organization with usage: Kafka clusters with keys that tell of no owner."""
        since = self.now - REMEMBERED
        return {
            (name,): sum(
                not self.organizations[name].usage.tells(cluster, at=self.now, since=since)
                for cluster in {
                    each.id
                    for key in self.organizations[name].keys.values()
                    for each in key.resources
                    if each.kind == "kafka"
                }
            )
            for name in self.organizations
            if name == _WITH_USAGE
        }

    def _is_unused(self, name: str, key: SimulatedKey) -> bool:
        usage, limit = self.organizations[name].usage, self.now - UNUSED_FOR
        return (
            name == _WITH_USAGE
            and key.created_at <= limit
            and all(
                each.kind == "kafka"
                and usage.tells(each.id, at=self.now, since=self.now - REMEMBERED)
                and (self._last_active(name, owner_of(key)[0], each.id) or 0) <= limit
                for each in key.resources
            )
        )


def owner_of(key: SimulatedKey) -> tuple[str, str]:
    """Return id and kind of the owner."""
    return (key.owner.id, key.owner.kind) if key.owner else ("", "internal")


def _usage(organization: SimulatedOrganization, quota: SimulatedQuota) -> int | None:
    """Return the reported usage, or the counted one, without the keys for the audit log."""
    if quota.usage is not None:
        return quota.usage
    keys = list(organization.keys.values())
    kinds = [{each.kind for each in key.resources} for key in keys]
    match quota.id.split("."):
        case "iam", "max_cloud_api_keys", _:
            wanted = {"cloud"}
        case "iam", "max_cluster_api_keys", _:
            wanted = _CLUSTERS
        case "kafka", _, _:
            return sum(each.id == quota.resource_id for key in keys for each in key.resources)
        case _:
            return None
    return sum(
        not wanted.isdisjoint(opened) and (not quota.owner_id or owner_of(key)[0] == quota.owner_id)
        for key, opened in zip(keys, kinds, strict=True)
    )


def _surplus(organization: SimulatedOrganization) -> Iterator[str]:
    """Yield the ids of keys beyond the limit per owner and resource, except the newest."""
    groups: dict[Labels, list[SimulatedKey]] = defaultdict(list)
    for key in sorted(organization.keys.values(), key=lambda key: key.created_at, reverse=True):
        for resource in key.resources:
            groups[owner_of(key)[0], resource.id].append(key)
    for group in groups.values():
        yield from (key.id for key in group[MOST_KEYS:])
