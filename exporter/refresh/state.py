"""The state of one organization: an immutable snapshot that is replaced as a whole."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.confluent.credentials import TokenStatus
    from exporter.confluent.throttle import RateLimitStatus
    from exporter.refresh.failure import Failure

S = TypeVar("S")


@dataclass(frozen=True)
class RefreshStatus:
    """The refreshes of one collector. Times are Unix seconds."""

    stale_after: float | None = None
    """Seconds after the start of a listing until it is too old to be published; None if never."""
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
    """By endpoint: failed requests divided by all requests of the latest refresh."""
    refreshes: int = 0
    """Refreshes that have ended since the start."""
    failures: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Failed refreshes since the start, by reason."""

    @property
    def up(self) -> bool:
        """Whether the latest refresh succeeded."""
        return self.finished is not None and self.failure is None

    @property
    def next_start(self) -> float | None:
        """When the next refresh starts; None before the first has ended."""
        return None if self.finished is None else self.finished + self.delay


@dataclass(frozen=True)
class Slice(Generic[S]):
    """The part of an organization's state that one collector owns."""

    collector: str
    """The collector's name."""
    initial: S
    """Its value before the first refresh."""


@dataclass(frozen=True)
class OrganizationState:
    """The state of one organization."""

    name: str
    refreshes: Mapping[str, RefreshStatus]
    """By the name of the collector, at least one. The first one has priority: it lists the keys."""
    slices: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    """By the name of the collector that owns it; read it with :meth:`get`."""
    rate_limits: Mapping[str, RateLimitStatus] = field(default_factory=lambda: MappingProxyType({}))
    """By endpoint: the rate limit that the latest response reported."""
    token: TokenStatus | None = None
    """The latest token of the organization's identity pool; None if it uses an API key."""
    api_key_id: str | None = field(default=None, repr=False)
    """The id of the API key that the latest refresh of the keys used; None if the exporter uses an
    identity pool, or before the key was read."""

    def get(self, owned: Slice[S]) -> S:
        """Return the value of the slice ``owned``."""
        return cast("S", self.slices.get(owned.collector, owned.initial))

    def with_slice(self, owned: Slice[S], value: S) -> OrganizationState:
        """Return this state with another ``value`` of the slice ``owned``."""
        return replace(self, slices={**self.slices, owned.collector: value})

    @property
    def prioritized(self) -> RefreshStatus:
        """The state of the collector that has priority."""
        return next(iter(self.refreshes.values()))

    @property
    def attempted(self) -> bool:
        """Whether the first listing of the keys has ended, successfully or not."""
        return self.prioritized.finished is not None

    @property
    def credentials_failed(self) -> bool:
        """Whether the latest listing of the keys failed because of the credentials."""
        failure = self.prioritized.failure
        return failure is not None and failure.is_credentials_failure
