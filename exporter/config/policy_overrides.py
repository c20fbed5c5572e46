"""Rules that replace those of an organization for some of its keys."""

from typing import Annotated, Any, ClassVar, Self

from pydantic import ConfigDict, Field, model_validator

from exporter.config.fields import ConfigSection, Duration, NonEmptyEntries

_PATTERNS = ("owners", "resources")


class PatternsSection(ConfigSection):
    """Patterns of owners and resources, at least one. `*` matches any characters."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        json_schema_extra={"anyOf": [{"required": [each]} for each in _PATTERNS]}
    )

    owners: NonEmptyEntries = ()
    """Ids of owners, such as sa-8kd41z or u-*."""
    resources: NonEmptyEntries = ()
    """Ids of resources, such as lkc-7vq2nd or cloud."""

    @model_validator(mode="after")
    def _check_patterns(self) -> Self:
        if not self.owners and not self.resources:
            raise ValueError("has no patterns; expected `owners`, `resources` or both")
        return self


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


RULES = tuple(name for name in Override.model_fields if name not in _PATTERNS)
"""The names of the rules that an entry may set."""
