"""What is known of an organization at one moment; replaced as a whole, never changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from exporter.errors import CredentialsError, Forbidden, Unauthorized
from exporter.inventory import Directory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exporter.confluent.throttle import RateLimit
    from exporter.errors import ApiError
    from exporter.inventory import Inventory, Key


_CREDENTIALS = frozenset({CredentialsError.reason, Unauthorized.reason, Forbidden.reason})


@dataclass(frozen=True)
class Failure:
    """Why the latest refresh failed."""

    reason: str
    """Value of the label of that name."""
    message: str
    """For people: cause and remedy."""
    request_id: str | None
    """The API's ``X-Request-Id``, for its support."""

    def __str__(self) -> str:
        suffix = f" (X-Request-Id {self.request_id})" if self.request_id else ""
        return self.message + suffix

    @property
    def is_of_credentials(self) -> bool:
        """Whether the credentials were the cause: missing, not accepted, or lacking the role."""
        return self.reason in _CREDENTIALS

    def is_like(self, other: Failure | None) -> bool:
        """Whether ``other`` is the same but for the request that met it."""
        return other is not None and (self.reason, self.message) == (other.reason, other.message)


def failure_from(error: ApiError | CredentialsError) -> Failure:
    """Return the failure that ``error`` is."""
    return Failure(error.reason, str(error), getattr(error, "request_id", None))


@dataclass(frozen=True)
class CollectorState:
    """What is known of one collector's refreshes. Times are Unix seconds."""

    finished: float | None = None
    """When the latest refresh ended; None before the first has."""
    succeeded: float | None = None
    """When the latest successful refresh ended."""
    duration: float | None = None
    """Seconds the latest refresh took."""
    failure: Failure | None = None
    """None if the latest refresh succeeded."""
    failures_in_a_row: int = 0
    delay: float = 0.0
    """Seconds from the end of the latest refresh to the start of the next."""
    error_ratios: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """By endpoint: failed ÷ all requests of the latest refresh."""
    refreshes: int = 0
    """How many have ended, since the start."""
    failures: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """How many of them failed, by reason."""

    @property
    def up(self) -> bool:
        """Whether the latest refresh succeeded."""
        return self.finished is not None and self.failure is None

    @property
    def next_start(self) -> float | None:
        """When the next refresh starts, by the wall clock; None before the first has ended."""
        return None if self.finished is None else self.finished + self.delay


@dataclass(frozen=True)
class ChurnTotals:
    """Keys that came and went since the start, by kind of owner and kind of resource."""

    created: Mapping[tuple[str, str], int] = field(default_factory=lambda: MappingProxyType({}))
    deleted: Mapping[tuple[str, str], int] = field(default_factory=lambda: MappingProxyType({}))


class Quota(msgspec.Struct, frozen=True, gc=False):
    """One applied quota, as the API says."""

    id: str
    """Its code, such as ``iam.max_cloud_api_keys.per_org``."""
    scope: str
    """In lower case, such as ``kafka_cluster``."""
    limit: int
    usage: int | None
    """None where the API does not say; that is not 0."""
    owner_id: str
    environment_id: str
    resource_id: str
    """What it is about, each empty where it is not about one."""

    @property
    def place(self) -> tuple[str, ...]:
        """What tells it from other quotas."""
        return self.id, self.scope, self.owner_id, self.environment_id, self.resource_id


@dataclass(frozen=True)
class OrganizationState:
    """What is known of one organization."""

    name: str
    collectors: Mapping[str, CollectorState]
    keys: Mapping[str, Key] = field(default_factory=lambda: MappingProxyType({}))
    """From the latest complete listing, by id."""
    unreadable: int = 0
    """Items of that listing that could not be read and are in none of the counts."""
    hidden: Mapping[str, Key] = field(default_factory=lambda: MappingProxyType({}))
    """Those of them that could be read before, as they were: they are there still."""
    vanished: int | None = None
    """Keys of the listing before that are not in it; None before there were two."""
    previous_total: int = 0
    """Keys of the listing before."""
    churn: ChurnTotals = field(default_factory=ChurnTotals)
    inventory: Inventory | None = None
    """Of ``keys``, with what ``directory`` knows."""
    directory: Directory = field(default_factory=Directory)
    quotas: Sequence[Quota] = ()
    quota_scopes: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Monotonic seconds by scope, in lower case: when the listing began that its quotas are from.
    """
    quotas_until: float = 0.0
    """Monotonic seconds; from then on they are too old to be published."""
    listed_at: float = 0.0
    """Monotonic seconds; when that listing began, for its first page is as old as that."""
    stale_after: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """By collector: seconds after the start of a listing from which on it is too old to be
    published; collectors whose listings never are, are absent."""
    placed: Sequence[Key] = ()
    """The keys with the places of their resources, as they are in the inventory."""
    thresholds: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Of the policies that have one, in seconds."""
    per_key_metrics: bool = False
    filtered: bool = False
    """Whether only a part of the keys is asked for."""
    rate_limits: Mapping[str, RateLimit] = field(default_factory=lambda: MappingProxyType({}))
    """By endpoint: the rate limit as the latest response said."""

    @property
    def vanished_ratio(self) -> float | None:
        """``vanished`` ÷ ``previous_total``, 0 to 1; None as ``vanished``."""
        return None if self.vanished is None else self.vanished / max(1, self.previous_total)

    @property
    def fresh_until(self) -> float:
        """Monotonic seconds; from then on the inventory is too old to be published."""
        return self.listed_at + self.stale_after.get("api_keys", 0.0)

    @property
    def credentials_failed(self) -> bool:
        """Whether the latest listing of the keys failed because of the credentials."""
        failure = self.collectors["api_keys"].failure
        return failure is not None and failure.is_of_credentials

    @property
    def attempted(self) -> bool:
        """Whether the keys were listed once, or could not be."""
        return self.collectors["api_keys"].finished is not None
