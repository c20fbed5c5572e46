"""The configuration file and the settings of an organization, with types and defaults.

The docstrings of settings, here and in the modules of the sections, are their descriptions in the
JSON Schema.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import (
    ConfigDict,
    Field,
    PlainValidator,
    PrivateAttr,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from exporter.config.certificates import check_ca_file
from exporter.config.collector_sections import METRICS_API_MEMORY, Names, Quotas, Usage
from exporter.config.credentials_section import BoundCredentials
from exporter.config.durations import format_duration
from exporter.config.fields import (
    ConfigSection,
    ContradictionError,
    Duration,
    Entries,
    Name,
    ShortDuration,
    Url,
    duration_default,
)
from exporter.config.policy_section import Policy
from exporter.config.source_settings import ValidationContext
from exporter.config.teams import Team

_MIB = 1024 * 1024

CaFile = Annotated[
    Path, PlainValidator(check_ca_file), WithJsonSchema({"type": "string", "minLength": 1})
]


class RateLimit(ConfigSection):
    """How much of the API's rate limit the exporter may use."""

    reserve: float = Field(default=0.5, ge=0, lt=1)
    """Share of each rate limit window to leave to other clients, from 0 to less than 1."""


class Tls(ConfigSection):
    """How the certificate of the API is verified."""

    ca_file: CaFile | None = None
    """PEM file with the only CA certificates to trust. Relative to the folder of this configuration
    file. Default: SSL_CERT_FILE or SSL_CERT_DIR, or else the public CAs."""
    strict: bool = True
    """Whether certificates must strictly follow RFC 5280. false accepts, for example, a CA whose
    basic constraints are not marked critical."""


class Filters(ConfigSection):
    """Which keys to list. With owners and resources, a key must match one of each."""

    owners: Entries = ()
    """Ids of owners, such as sa-8kd41z; empty for all."""
    resources: Entries = ()
    """Ids of resources, such as lkc-7vq2nd or cloud; empty for all."""

    @property
    def exclude_keys(self) -> bool:
        """Whether some keys may not be listed."""
        return bool(self.owners or self.resources)

    @field_validator("owners", "resources")
    @classmethod
    def _check_patterns(cls, ids: tuple[str, ...]) -> tuple[str, ...]:
        if any(set(each) & set("*?[") for each in ids):
            raise ValueError("contains a pattern; expected complete ids, such as lkc-7vq2nd")
        return ids


def _least_stale_after(read: Mapping[str, Any]) -> float:
    """Return the longest time in seconds from the start of a listing to the end of the next.

    The next listing starts an interval later, or when the first ends if that is later. ``read``
    lacks invalid settings.
    """
    interval, timeout = read.get("refresh_interval", 0.0), read.get("refresh_timeout", 0.0)
    return float(max(interval, timeout) + timeout)


def _default_stale_after(read: dict[str, Any]) -> float:
    return max(3 * float(read.get("refresh_interval", 0.0)), _least_stale_after(read))


class Settings(ConfigSection):
    """Settings that are valid in `defaults` and in any organization."""

    url: Url = "https://api.confluent.cloud"
    """URL of the API, optionally with a path. Plain http is allowed only for this machine."""
    refresh_interval: Duration = duration_default("5m")
    """Time between the starts of two refreshes of the keys."""
    refresh_timeout: Duration = Field(
        # ``read`` lacks invalid settings. The error that this causes is not reported.
        default_factory=lambda read: float(read.get("refresh_interval", 0))
    )
    """Maximum duration of one refresh of the keys. Default: the refresh_interval."""
    request_timeout: ShortDuration = duration_default("10s")
    """Maximum duration of one request, from connecting to the last byte of the response."""
    stale_after: Duration = Field(default_factory=_default_stale_after)
    """Age at which the metrics of a listing disappear. Default: three times the refresh_interval,
    or longer if two consecutive refreshes may take longer because of the refresh_timeout."""
    page_size: int = Field(default=100, ge=1, le=100)
    """Keys per request. Smaller pages need more requests."""
    max_response_bytes: int = Field(default=16 * _MIB, ge=1024, le=256 * _MIB)
    """Maximum size of a response body in bytes, after decompression."""
    tls: Tls = Field(default_factory=Tls)
    """How the certificate of the API is verified."""
    rate_limit: RateLimit = Field(default_factory=RateLimit)
    """How much of the API's rate limit the exporter may use."""
    names: Names = Field(default_factory=Names)
    """Display names of owners, resources and environments."""
    quotas: Quotas = Field(default_factory=Quotas)
    """Quotas of the organization and their usage."""
    usage: Usage = Field(default_factory=Usage)
    """Which owners use which Kafka clusters, from the Metrics API."""
    policy: Policy = Field(default_factory=Policy)
    """Rules for API keys. A key that violates one is a finding."""
    per_key_metrics: bool = False
    """Whether to expose up to three series for each API key."""
    per_key_display_names: bool = False
    """Whether the series confluent_cloud_api_key_info have the key's display name as a label."""
    max_pairs: int = Field(default=20_000, ge=1, le=1_000_000)
    """Maximum number of owner-resource pairs with their own series. The smallest pairs beyond it
    are combined into `other`."""

    @field_validator("policy")
    @classmethod
    def _check_unused_for(cls, policy: Policy, info: ValidationInfo) -> Policy:
        usage = info.data.get("usage")
        if usage is None:  # invalid, which is reported already
            return policy
        times = [policy.unused_for, *(each.unused_for for each in policy.overrides)]
        longest = max((each for each in times if each is not None), default=0.0)
        if longest and not usage.enabled:
            raise ContradictionError(
                "`unused_for` is set while `usage.enabled` is false; enable usage, or remove"
                " `unused_for`",
                others=("usage",),
            )
        if longest > METRICS_API_MEMORY and usage.state_file is None:
            raise ContradictionError(
                f"`unused_for` (`{format_duration(longest)}`) is longer than the 7 days that the"
                " Metrics API remembers; lower it, or set `usage.state_file`",
                others=("usage",),
            )
        return policy

    @field_validator("per_key_display_names")
    @classmethod
    def _check_display_names(cls, wanted: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 # pydantic's call
        if wanted and not info.data.get("per_key_metrics", True):
            raise ContradictionError(
                "`per_key_display_names` is true while `per_key_metrics` is false; enable per-key"
                " metrics, or disable display names",
                others=("per_key_metrics",),
            )
        return wanted

    @field_validator("request_timeout")
    @classmethod
    def _check_request_timeout(cls, seconds: float, info: ValidationInfo) -> float:
        # Not called for the default, which a shorter refresh_timeout limits anyway.
        refresh = info.data.get("refresh_timeout", seconds)
        if seconds > refresh:
            raise ContradictionError(
                f"`request_timeout` (`{format_duration(seconds)}`) is longer than"
                f" `refresh_timeout` (`{format_duration(refresh)}`); lower it, or raise"
                " `refresh_timeout`",
                others=("refresh_timeout", "refresh_interval"),
            )
        return seconds

    @field_validator("stale_after")
    @classmethod
    def _check_stale_after(cls, seconds: float, info: ValidationInfo) -> float:
        least = _least_stale_after(info.data)
        if seconds < least:
            raise ContradictionError(
                f"`stale_after` (`{format_duration(seconds)}`) is too short for `refresh_interval`"
                f" and `refresh_timeout`; expected at least `{format_duration(least)}`, or metrics"
                " would disappear between two refreshes",
                others=("refresh_timeout", "refresh_interval"),
            )
        return seconds


class Organization(Settings):
    """One organization with all settings that apply to it."""

    # The file may omit credentials: the loader adds the standard variables.
    model_config: ClassVar[ConfigDict] = ConfigDict(json_schema_extra={"required": ["name"]})

    name: Name
    """Unique value of the label `organization`."""
    credentials: BoundCredentials
    """An API key and its secret, or an identity pool with a token file or an OAuth client. Default:
    the API key in CONFLUENT_CLOUD_API_KEY and CONFLUENT_CLOUD_API_SECRET."""
    filters: Filters = Field(default_factory=Filters)
    """Which keys to list. Default: all."""

    _teams: tuple[Team, ...] = PrivateAttr(())

    @property
    def teams(self) -> tuple[Team, ...]:
        """The teams of all organizations, which are set at the top level. The first match wins."""
        return self._teams

    def model_post_init(self, context: object, /) -> None:
        """Take the teams from the context of the validation, as a part of this value."""
        if isinstance(context, ValidationContext):
            self._teams = context.teams


class ConfigFile(ConfigSection):
    """The configuration file."""

    defaults: Settings = Field(default_factory=Settings)
    """Settings of all organizations, unless overridden there."""
    organizations: tuple[Organization, ...] = Field(json_schema_extra={"minItems": 1})
    """Confluent Cloud organizations, at least one."""
    teams: tuple[Team, ...] = ()
    """Who is responsible for which owners. Of several teams that match, the first one is."""
    teams_file: str | None = Field(default=None, json_schema_extra={"minLength": 1})
    """YAML file with a list of more teams, which follow those of `teams`. Relative to the folder of
    this configuration file. Read again at every reload."""
