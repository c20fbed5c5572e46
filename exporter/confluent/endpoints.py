"""The listings that the exporter reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from exporter.confluent import wire

T = TypeVar("T")


@dataclass(frozen=True)
class Listing(Generic[T]):
    """A paged endpoint of the API."""

    endpoint: str
    """The path, which is also the value of the label of that name."""
    decoder: wire.Decoder[T]


API_KEYS = Listing("/iam/v2/api-keys", wire.PageDecoder(wire.ApiKey))
SERVICE_ACCOUNTS = Listing("/iam/v2/service-accounts", wire.PageDecoder(wire.Named))
USERS = Listing("/iam/v2/users", wire.PageDecoder(wire.User))
ENVIRONMENTS = Listing("/org/v2/environments", wire.PageDecoder(wire.Named))
ORGANIZATIONS = Listing("/org/v2/organizations", wire.PageDecoder(wire.Named))
KAFKA_CLUSTERS = Listing("/cmk/v2/clusters", wire.PageDecoder(wire.Cluster))
SCHEMA_REGISTRIES = Listing("/srcm/v3/clusters", wire.PageDecoder(wire.Cluster))
KSQLDB_CLUSTERS = Listing("/ksqldbcm/v2/clusters", wire.PageDecoder(wire.Cluster))
REGIONS = Listing("/fcpm/v2/regions", wire.PageDecoder(wire.Named))
QUOTA_SCOPES = Listing("/service-quota/v1/scopes", wire.PageDecoder(wire.Id))
APPLIED_QUOTAS = Listing("/service-quota/v1/applied-quotas", wire.PageDecoder(wire.AppliedQuota))
