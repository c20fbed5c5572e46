"""The settings of the collectors of names, quotas and usage."""

from pathlib import Path
from typing import Annotated

from pydantic import PlainValidator, ValidationInfo, WithJsonSchema, field_validator

from exporter.config.fields import (
    ConfigSection,
    ContradictionError,
    Duration,
    NonEmptyEntries,
    Url,
    duration_default,
)
from exporter.config.state_files import check_state_file

METRICS_API_MEMORY = 7 * 86_400.0
"""Seconds for which the Metrics API answers."""

StateFile = Annotated[
    Path, PlainValidator(check_state_file), WithJsonSchema({"type": "string", "minLength": 1})
]


class Names(ConfigSection):
    """Display names of owners, resources and environments."""

    enabled: bool = True
    """Whether to fetch names. Without them, metrics show only ids."""
    refresh_interval: Duration = duration_default("1h")
    """Time between the starts of two refreshes of the names."""
    users: bool = False
    """Whether to fetch the names of users, which are personal data."""

    @field_validator("users")
    @classmethod
    def _check_users(cls, users: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 # pydantic's call
        if users and not info.data.get("enabled", True):
            raise ContradictionError(
                "`names.users` is true while `names.enabled` is false; enable names, or disable"
                " users",
                others=("enabled",),
            )
        return users


class Quotas(ConfigSection):
    """Quotas of the organization and their usage."""

    enabled: bool = True
    """Whether to fetch quotas."""
    refresh_interval: Duration = duration_default("15m")
    """Time between the starts of two refreshes of the quotas."""
    include: NonEmptyEntries = ("*api_keys*",)
    """Patterns of the quota codes to fetch; `*` matches any characters."""


class Usage(ConfigSection):
    """Which owners use which Kafka clusters, from the Metrics API."""

    enabled: bool = False
    """Whether to fetch usage. Needs the role MetricsViewer."""
    url: Url = "https://api.telemetry.confluent.cloud"
    """URL of the Metrics API. Plain http is allowed only for this machine."""
    refresh_interval: Duration = duration_default("1h")
    """Time between the starts of two refreshes of the usage."""
    state_file: StateFile | None = None
    """File that keeps the known activity across restarts, one for each organization.
    Relative to the folder of this configuration file. Default: none."""
