"""The rules for all API keys of an organization, and for some of them."""

from typing import Annotated, Any

from pydantic import Field

from exporter.config.fields import ConfigSection, Duration, Entries, duration_default
from exporter.config.patterns_section import PATTERNS, PatternsSection


class Exempt(ConfigSection):
    """Patterns of exempt API keys, which are counted separately. `*` matches any characters."""

    owners: Entries = ()
    """Ids of owners, such as sa-8kd41z or u-*. All of their keys are exempt."""
    resources: Entries = ()
    """Ids of resources. A key is exempt if all of its resources match."""
    api_keys: Entries = ()
    """Ids of API keys, such as ABCDEFGHIJKLMNOP."""


class Override(PatternsSection):
    """Other rules for the keys that match. Of several entries, the first that matches applies.

    A rule that is not set here is that of the policy.
    """

    max_age: Duration | None = None
    """Finding: a key that is older than this. null disables the rule."""
    expires_within: Duration | None = None
    """Finding: a key that will expire within this time. null disables the rule."""
    expired: bool | None = None
    """Finding: a key that has expired but still exists. null disables the rule."""
    max_keys_per_owner_and_resource: Annotated[int, Field(ge=1)] | None = None
    """Finding: the oldest keys of an owner beyond this number for one resource. null disables the
    rule."""
    user_owned: bool | None = None
    """Finding: a key of a user account instead of a service account. null disables the rule."""
    undescribed: bool | None = None
    """Finding: a key with neither a display name nor a description. null disables the rule."""
    unknown_owner: bool | None = None
    """Finding: a key whose owner no longer exists. null disables the rule."""
    unused_for: Duration | None = None
    """Finding: a Kafka key whose owner made no request to the cluster for this time. null disables
    the rule."""

    def __eq__(self, other: object) -> bool:
        # A rule that is null is not a rule that is not set.
        return (
            super().__eq__(other)
            and isinstance(other, Override)
            and self.model_fields_set == other.model_fields_set
        )

    def __hash__(self) -> int:
        return hash((self.owners, self.resources))

    @property
    def rules(self) -> dict[str, Any]:
        """The rules that are set, by name."""
        return {name: getattr(self, name) for name in RULES if name in self.model_fields_set}


RULES = tuple(name for name in Override.model_fields if name not in PATTERNS)
"""The names of the rules that an entry may set."""


class Policy(ConfigSection):
    """Rules for API keys. A key that violates one is a finding. null disables a rule."""

    max_age: Duration | None = duration_default("90d")
    """Finding: a key that is older than this."""
    expires_within: Duration | None = duration_default("14d")
    """Finding: a key that will expire within this time."""
    expired: bool | None = True
    """Finding: a key that has expired but still exists."""
    max_keys_per_owner_and_resource: Annotated[int, Field(ge=1)] | None = 2
    """Finding: the oldest keys of an owner beyond this number for one resource."""
    user_owned: bool | None = True
    """Finding: a key of a user account instead of a service account."""
    undescribed: bool | None = True
    """Finding: a key with neither a display name nor a description."""
    unknown_owner: bool | None = True
    """Finding: a key whose owner no longer exists. Needs a complete listing of names."""
    unused_for: Duration | None = None
    """Finding: a Kafka key whose owner made no request to the cluster for this time. Needs `usage`.
    More than 7 days need a `usage.state_file`."""
    exempt: Exempt = Field(default_factory=Exempt)
    """API keys that are exempt from all rules."""
    overrides: tuple[Override, ...] = Field(default=(), strict=False)
    """Other rules for some keys. The first entry that matches a key applies to it."""
