"""What may be written in the configuration: every setting once, with its meaning and default.

The docstrings below the settings are their descriptions in the JSON Schema.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import (
    ConfigDict,
    Field,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from exporter.config.certificates import check_ca_file
from exporter.config.durations import format_duration
from exporter.config.fields import (
    ContradictionError,
    Entries,
    Interval,
    Moment,
    Name,
    Section,
    SomeEntries,
    Url,
    lasting,
)
from exporter.config.sources import BoundCredentials

_MIB = 1024 * 1024

CaFile = Annotated[
    Path, PlainValidator(check_ca_file), WithJsonSchema({"type": "string", "minLength": 1})
]


class RateLimit(Section):
    """How much of the API's rate limit the exporter may use."""

    reserve: float = Field(default=0.5, ge=0, lt=1)
    """How much of each window to leave to other clients: 0 for nothing, 0.5 for half; below 1."""


class Tls(Section):
    """How the certificate of the API is verified."""

    ca_file: CaFile | None = None
    """File of CA certificates in PEM format, the only ones to be trusted. A relative path starts at
    the configuration's folder. Without it, SSL_CERT_FILE or SSL_CERT_DIR, or the usual CAs."""
    strict: bool = True
    """Whether certificates must follow RFC 5280 to the letter. false accepts, for example, a CA
    whose basic constraints are not marked critical."""


class Names(Section):
    """The readable names of owners, resources and environments."""

    enabled: bool = True
    """Whether names are fetched at all; without them, metrics show ids alone."""
    refresh_interval: Interval = lasting("1h")
    """Time between two fetches of the names."""
    users: bool = False
    """Whether the names of users are fetched too, which is personal data."""

    @field_validator("users")
    @classmethod
    def _only_with_names(cls, users: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 # pydantic's call
        if users and not info.data.get("enabled", True):
            raise ContradictionError(
                "`names.users` is true while `names.enabled` is false; switch names on, or the"
                " users off",
                others=("enabled",),
            )
        return users


class Quotas(Section):
    """The organization's quotas and how much of them is used."""

    enabled: bool = True
    """Whether quotas are fetched."""
    refresh_interval: Interval = lasting("15m")
    """Time between two fetches of the quotas."""
    include: SomeEntries = ("*api_keys*",)
    """Which quotas, as patterns for their codes; `*` stands for anything."""


class Exempt(Section):
    """What is excepted from the policy; its findings are counted apart. `*` stands for anything."""

    owners: Entries = ()
    """Ids of owners, such as sa-8kd41z or u-*."""
    resources: Entries = ()
    """Ids of resources; a key is excepted if all of its resources are."""
    api_keys: Entries = ()
    """Ids of API keys, as patterns too."""


class Policy(Section):
    """Rules for API keys; a key that breaks one is a finding. null switches a rule off."""

    max_age: Interval | None = lasting("90d")
    """Finding: a key of a greater age."""
    expires_within: Interval | None = lasting("14d")
    """Finding: a key whose expiry is nearer than this, and not past."""
    expired: bool | None = True
    """Finding: a key whose expiry is past."""
    max_keys_per_owner_and_resource: Annotated[int, Field(ge=1)] | None = 2
    """Finding: an owner with more keys than this for one resource."""
    user_owned: bool | None = True
    """Finding: a key of a person, where a service account would last."""
    undescribed: bool | None = True
    """Finding: a key without a description."""
    unknown_owner: bool | None = True
    """Finding: the key's owner is gone. Judged only with a complete listing of names."""
    exempt: Exempt = Field(default_factory=Exempt)
    """What is excepted from all of the above."""


class Filters(Section):
    """Which keys are asked for. With owners and resources, a key must match one of each."""

    owners: Entries = ()
    """Ids of owners, such as sa-8kd41z; empty for all."""
    resources: Entries = ()
    """Ids of resources, such as lkc-7vq2nd or cloud; empty for all."""

    @field_validator("owners", "resources")
    @classmethod
    def _no_patterns(cls, ids: tuple[str, ...]) -> tuple[str, ...]:
        if any(set(each) & set("*?[") for each in ids):
            raise ValueError("has a pattern in it; the API takes whole ids, such as lkc-7vq2nd")
        return ids


def _start_to_next_end(read: Mapping[str, Any]) -> float:
    """Return the seconds from the start of a listing to the end of the next, at most.

    Ages count from the start of a listing. The next one starts an interval later, or when a longer
    one has ended. A setting that is itself wrong is missing from ``read``.
    """
    interval, timeout = read.get("refresh_interval", 0.0), read.get("refresh_timeout", 0.0)
    return float(max(interval, timeout) + timeout)


def _default_stale_after(read: dict[str, Any]) -> float:
    return max(3 * float(read.get("refresh_interval", 0.0)), _start_to_next_end(read))


class Settings(Section):
    """What `defaults` may hold, and any organization may override."""

    url: Url = "https://api.confluent.cloud"
    """Address of the API, possibly with a path. Plain http goes to this machine only."""
    refresh_interval: Interval = lasting("5m")
    """Time from the start of one listing of the keys to the next."""
    refresh_timeout: Interval = Field(
        # A setting that is wrong itself is missing from what was read so far; the error that this
        # causes is not reported. Here and below.
        default_factory=lambda read: float(read.get("refresh_interval", 0))
    )
    """Time that one listing may take in all. Default: the refresh_interval."""
    request_timeout: Moment = lasting("10s")
    """Time that one request may take, from connecting to the last byte."""
    stale_after: Interval = Field(default_factory=_default_stale_after)
    """Age at which counts are no longer published. Default: three times the refresh_interval, or
    longer if the refresh_timeout lets two listings in a row take longer."""
    page_size: int = Field(default=100, ge=1, le=100)
    """Keys per request. Fewer make more requests."""
    max_response_bytes: int = Field(default=16 * _MIB, ge=1024, le=256 * _MIB)
    """Size above which an answer of the API is refused, in bytes, decompressed."""
    tls: Tls = Field(default_factory=Tls)
    """How the certificate of the API is verified."""
    rate_limit: RateLimit = Field(default_factory=RateLimit)
    """How much of the API's rate limit the exporter may use."""
    names: Names = Field(default_factory=Names)
    """The readable names of owners, resources and environments."""
    quotas: Quotas = Field(default_factory=Quotas)
    """The organization's quotas and how much of them is used."""
    policy: Policy = Field(default_factory=Policy)
    """Rules for API keys; a key that breaks one is a finding."""
    per_key_metrics: bool = False
    """Whether each key has series of its own. One more set of series per key."""
    max_pairs: int = Field(default=20_000, ge=1, le=1_000_000)
    """Pairs of owner and resource with series of their own. The smallest beyond become `other`."""

    @field_validator("request_timeout")
    @classmethod
    def _within_the_refresh(cls, seconds: float, info: ValidationInfo) -> float:
        # Runs only for what is written: the default gives way to a shorter refresh by itself.
        refresh = info.data.get("refresh_timeout", seconds)
        if seconds > refresh:
            raise ContradictionError(
                f"`request_timeout` (`{format_duration(seconds)}`) is longer than"
                f" `refresh_timeout` (`{format_duration(refresh)}`); a request cannot outlast its"
                " refresh",
                others=("refresh_timeout", "refresh_interval"),
            )
        return seconds

    @field_validator("stale_after")
    @classmethod
    def _not_between_refreshes(cls, seconds: float, info: ValidationInfo) -> float:
        least = _start_to_next_end(info.data)
        if seconds < least:
            raise ContradictionError(
                f"`stale_after` (`{format_duration(seconds)}`) is shorter than the time from the"
                f" start of one listing to the end of the next (`{format_duration(least)}`, by"
                " `refresh_interval` and `refresh_timeout`); the counts would vanish between two"
                " refreshes",
                others=("refresh_timeout", "refresh_interval"),
            )
        return seconds


class Organization(Settings):
    """One organization, with every setting as it applies to it."""

    # A mapping without credentials is complete: the loader adds the usual variables.
    model_config: ClassVar[ConfigDict] = ConfigDict(json_schema_extra={"required": ["name"]})

    name: Name
    """The value of the label `organization`; unique."""
    credentials: BoundCredentials
    """Where the API key and its secret are. Without it, the environment variables
    CONFLUENT_CLOUD_API_KEY and CONFLUENT_CLOUD_API_SECRET."""
    filters: Filters = Field(default_factory=Filters)
    """Which keys are asked for; all without it."""


class Document(Section):
    """The whole configuration."""

    defaults: Settings = Field(default_factory=Settings)
    """Settings of all organizations that do not say otherwise."""
    organizations: tuple[Organization, ...] = Field(json_schema_extra={"minItems": 1})
    """The organizations of Confluent Cloud, at least one."""
