"""Patterns of owners and resources."""

from typing import ClassVar, Self

from pydantic import ConfigDict, model_validator

from exporter.config.fields import ConfigSection, NonEmptyEntries

PATTERNS = ("owners", "resources")


class PatternsSection(ConfigSection):
    """Patterns of owners and resources, at least one. `*` matches any characters."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        json_schema_extra={"anyOf": [{"required": [each]} for each in PATTERNS]}
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
