"""The endpoints that the exporter uses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from exporter.confluent import wire
from exporter.errors import Unauthorized

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.errors import ApiError

T = TypeVar("T")

STS = "/sts/v1/oauth2/token"
"""Exchanges the token of an identity provider; docs/confluent-cloud-api.md#bearer-tokens."""
IDENTITY_PROVIDER = "token_url"
"""The value of the label ``endpoint`` for identity providers, whose addresses differ."""

_BAD_LISTING = {400: "the API rejects the request; check `filters` and `page_size`"}
_NO_ROLE = {
    **_BAD_LISTING,
    403: "the role does not allow this listing. Grant OrganizationAdmin, or disable the feature"
    " that needs it (`names`, `names.users`, `quotas`)",
}


@dataclass(frozen=True)
class Listing(Generic[T]):
    """A paged endpoint of the API."""

    endpoint: str
    """The path, which is also the value of the label of that name."""
    decoder: wire.Decoder[T]
    causes: Mapping[int, str] = field(default_factory=lambda: _BAD_LISTING)
    """See :class:`~exporter.confluent.request.Request`."""

    def may_fail_alone(self, error: ApiError) -> bool:
        """Whether other listings may succeed after ``error``, which ended this one.

        They do not if the credentials are rejected or the STS issues no token.
        """
        return error.endpoint == self.endpoint and not isinstance(error, Unauthorized)


def _optional(endpoint: str, decoder: wire.Decoder[T]) -> Listing[T]:
    """Return a listing that can be disabled; the credentials know what a 403 for keys means."""
    return Listing(endpoint, decoder, causes=_NO_ROLE)


API_KEYS = Listing("/iam/v2/api-keys", wire.PageDecoder(wire.ApiKey))
SERVICE_ACCOUNTS = _optional("/iam/v2/service-accounts", wire.PageDecoder(wire.Named))
USERS = _optional("/iam/v2/users", wire.PageDecoder(wire.User))
ENVIRONMENTS = _optional("/org/v2/environments", wire.PageDecoder(wire.Named))
ORGANIZATIONS = _optional("/org/v2/organizations", wire.PageDecoder(wire.Named))
KAFKA_CLUSTERS = _optional("/cmk/v2/clusters", wire.PageDecoder(wire.Cluster))
SCHEMA_REGISTRIES = _optional("/srcm/v3/clusters", wire.PageDecoder(wire.Cluster))
KSQLDB_CLUSTERS = _optional("/ksqldbcm/v2/clusters", wire.PageDecoder(wire.Cluster))
REGIONS = _optional("/fcpm/v2/regions", wire.PageDecoder(wire.Named))
QUOTA_SCOPES = _optional("/service-quota/v1/scopes", wire.PageDecoder(wire.Id))
APPLIED_QUOTAS = _optional("/service-quota/v1/applied-quotas", wire.PageDecoder(wire.AppliedQuota))
