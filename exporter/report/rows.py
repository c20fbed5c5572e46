"""The rows of a report: the keys of an organization with their policy violations."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from exporter.inventory import (
    ViolatingKeys,
    findings_of,
    owner_teams,
    plausible_creation,
    plausible_expiry,
    sorted_by_creation,
    with_environments,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from exporter.inventory import Directory, Key, Resource, Rules, Team, Usage

_DAY = 86_400


class ListedKey(NamedTuple):
    """A key with the texts that only a report shows. Missing texts are empty."""

    key: Key
    display_name: str
    description: str


class ReportedResource(NamedTuple):
    """A resource that a key gives access to, with its names; None if unknown."""

    id: str
    kind: str
    environment_id: str
    """Empty if the resource is in no environment, or in an unknown one."""
    name: str | None
    environment_name: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """One key. Texts are as the API returned them; each output format escapes them."""

    organization: str
    api_key_id: str
    owner_id: str
    owner_kind: str
    owner_name: str | None
    team: str | None
    """The team of the owner; None without one."""
    resources: tuple[ReportedResource, ...]
    display_name: str | None
    description: str | None
    created_at: float | None
    """Unix seconds; None if the API returns no valid time."""
    expires_at: float | None
    """Unix seconds; None also for a key that does not expire."""
    age: float | None
    """Seconds."""
    policies: tuple[str, ...]
    """The policies that the key violates without an exemption, sorted."""
    exempted: tuple[str, ...]
    """The policies that the key violates but is exempt from, sorted."""

    @property
    def age_days(self) -> int | None:
        """Age in whole days, rounded down."""
        return None if self.age is None else int(self.age // _DAY)


class Policies(NamedTuple):
    """The policies that one key violates, each sorted."""

    violated: tuple[str, ...] = ()
    exempted: tuple[str, ...] = ()


_NO_POLICIES = Policies()


@dataclass(frozen=True, eq=False)
class OrganizationKeys:
    """The keys of one organization, with everything that their rows need."""

    organization: str
    keys: Sequence[Key]
    """With the environments of their resources. The oldest first, then by id; keys of unknown
    creation come first."""
    violating: Sequence[ViolatingKeys]
    """Evaluated as for the metrics, so that the rows add up to them."""
    directory: Directory
    at: float
    """The Unix time that ages and findings refer to."""
    teams: Mapping[str, str]
    """By owner id, as in the metrics. Owners without a team are absent."""

    def ids_violating(self, policies: Collection[str]) -> set[str]:
        """Return the ids of the keys that violate any of ``policies`` without an exemption."""
        return {
            key.id
            for policy, keys, exempted in self.violating
            if policy in policies and not exempted
            for key in keys
        }

    def policies_of(self, keys: Collection[Key]) -> Mapping[str, Policies]:
        """Return the policies that ``keys`` violate, by key id. Omits keys that violate none.

        Takes time in proportion to all findings.
        """
        ids = {key.id for key in keys}
        # A bit for each policy. Lists would be many objects that the garbage collector traverses.
        found: dict[str, int] = {}
        for position, (_, violating, _) in enumerate(self.violating):
            bit = 1 << position
            for key in violating:
                if key.id in ids:
                    found[key.id] = found.get(key.id, 0) | bit
        policies = {bits: self._policies(bits) for bits in {*found.values()}}
        return {key_id: policies[bits] for key_id, bits in found.items()}

    def _policies(self, bits: int) -> Policies:
        names: tuple[list[str], list[str]] = ([], [])
        for position, (policy, _, exempted) in enumerate(self.violating):
            if bits & 1 << position:
                names[exempted].append(policy)
        return Policies(*(tuple(sorted(each)) for each in names))

    def row(
        self,
        key: Key,
        policies: Mapping[str, Policies],
        *,
        texts: tuple[str, str] | None = None,
    ) -> Row:
        """Return the row of ``key``, one of ``keys``.

        ``policies``: the result of :meth:`policies_of`. ``texts``: display name and description, if
        they are not those of ``key``.
        """
        display_name, description = texts or (key.display_name, key.description)
        created_at = self.created_at(key)
        found = policies.get(key.id, _NO_POLICIES)
        return Row(
            organization=self.organization,
            api_key_id=key.id,
            owner_id=key.owner.id,
            owner_kind=key.owner.kind,
            owner_name=self.directory.owner_name(key.owner.id),
            team=self.team(key),
            resources=tuple(self.resource(resource) for resource in key.resources),
            display_name=display_name or None,
            description=description or None,
            created_at=created_at,
            expires_at=self.expires_at(key),
            age=None if created_at is None else max(0.0, self.at - created_at),
            policies=found.violated,
            exempted=found.exempted,
        )

    def team(self, key: Key) -> str | None:
        """Return the team of the owner of ``key``, None without one."""
        return self.teams.get(key.owner.id)

    def resource(self, resource: Resource) -> ReportedResource:
        """Return ``resource`` with its names."""
        return ReportedResource(
            resource.id,
            resource.kind,
            resource.environment_id,
            name=self.directory.resource_name(resource.id),
            environment_name=self.directory.environments.get(resource.environment_id) or None,
        )

    def created_at(self, key: Key) -> float | None:
        """Return the creation of ``key`` in Unix seconds, None if unknown."""
        return plausible_creation(key.created_at, now=self.at)

    def expires_at(self, key: Key) -> float | None:
        """Return the expiry of ``key`` in Unix seconds, None if unknown or never."""
        return plausible_expiry(key.expires_at, now=self.at)


def build_rows(
    organization: str,
    listed: Collection[ListedKey],
    rules: Rules,
    *,
    directory: Directory,
    usage: Usage,
    now: float,
    teams: Sequence[Team] = (),
) -> list[Row]:
    """Return a row for each key of ``organization`` at the Unix time ``now``.

    Sorted by creation, the oldest first, then by id. Keys of unknown creation come first.
    """
    texts = {key.id: (display_name, description) for key, display_name, description in listed}
    keys = sorted_by_creation(with_environments([each.key for each in listed], directory), now=now)
    grouped: defaultdict[tuple[str, bool], list[Key]] = defaultdict(list)
    for policy, key, exempted in findings_of(
        keys, rules, directory=directory, usage=usage, now=now
    ):
        grouped[policy, exempted].append(key)
    violating = [ViolatingKeys(policy, found, each) for (policy, each), found in grouped.items()]
    pairs = {(key.owner, resource) for key in keys for resource in key.resources}
    of_organization = OrganizationKeys(
        organization, keys, violating, directory, now, owner_teams(pairs, teams)
    )
    policies = of_organization.policies_of(keys)
    return [of_organization.row(key, policies, texts=texts[key.id]) for key in keys]


def iso8601(seconds: float | None) -> str | None:
    """Return Unix seconds as an ISO 8601 time in UTC, rounded down to the second."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")[:-6] + "Z"
