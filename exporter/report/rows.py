"""The rows of a report: the keys of an organization with their policy violations."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from exporter.inventory import findings_of, plausible_creation, plausible_expiry, with_environments

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from exporter.inventory import Directory, Key, Resource, Rules

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
    """The keys of one organization, with all that their rows are made of.

    Policies are judged as for the metrics, so that the rows add up to them.
    """

    organization: str
    keys: Sequence[Key]
    """With the environments of their resources."""
    rules: Rules
    directory: Directory
    at: float
    """The Unix time that ages and findings refer to."""

    @cached_property
    def policies(self) -> Mapping[str, Policies]:
        """By id of the key, for keys with findings. Takes time in proportion to the keys."""
        violated: defaultdict[str, list[str]] = defaultdict(list)
        exempted: defaultdict[str, list[str]] = defaultdict(list)
        for policy, key, exempt in findings_of(
            self.keys, self.rules, directory=self.directory, now=self.at
        ):
            (exempted if exempt else violated)[key.id].append(policy)
        # There are few combinations of policies; sharing them saves most of the memory.
        shared: dict[Policies, Policies] = {}

        def policies_of(key_id: str) -> Policies:
            found = Policies(
                tuple(sorted(violated.get(key_id, ()))), tuple(sorted(exempted.get(key_id, ())))
            )
            return shared.setdefault(found, found)

        return {key_id: policies_of(key_id) for key_id in (*violated, *exempted)}

    def row(
        self, key: Key, *, display_name: str | None = None, description: str | None = None
    ) -> Row:
        """Return the row of ``key``, one of ``keys``; the texts are its own by default."""
        created_at = self.created_at(key)
        policies = self.policies.get(key.id, _NO_POLICIES)
        return Row(
            organization=self.organization,
            api_key_id=key.id,
            owner_id=key.owner.id,
            owner_kind=key.owner.kind,
            owner_name=self.directory.owner_name(key.owner.id),
            resources=tuple(self.resource(resource) for resource in key.resources),
            display_name=(key.display_name if display_name is None else display_name) or None,
            description=(key.description if description is None else description) or None,
            created_at=created_at,
            expires_at=self.expires_at(key),
            age=None if created_at is None else max(0.0, self.at - created_at),
            policies=policies.violated,
            exempted=policies.exempted,
        )

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
    now: float,
) -> list[Row]:
    """Return a row for each key of ``organization`` at the Unix time ``now``.

    Sorted by creation, the oldest first, then by id. Keys of unknown creation come first.
    """
    keys = with_environments([each.key for each in listed], directory)
    of_organization = OrganizationKeys(organization, keys, rules, directory, now)
    rows = [
        of_organization.row(key, display_name=display_name, description=description)
        for key, (_, display_name, description) in zip(keys, listed, strict=True)
    ]
    return sorted(
        rows, key=lambda row: (row.created_at is not None, row.created_at or 0.0, row.api_key_id)
    )


def iso8601(seconds: float | None) -> str | None:
    """Return Unix seconds as an ISO 8601 time in UTC, rounded down to the second."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")[:-6] + "Z"
