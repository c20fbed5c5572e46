"""The paths that are served: of the listings, the token endpoints and the Metrics API."""

from __future__ import annotations

API_KEYS_PATH = "/iam/v2/api-keys"
SERVICE_ACCOUNTS_PATH = "/iam/v2/service-accounts"
USERS_PATH = "/iam/v2/users"
ENVIRONMENTS_PATH = "/org/v2/environments"
ORGANIZATIONS_PATH = "/org/v2/organizations"
KAFKA_CLUSTERS_PATH = "/cmk/v2/clusters"
SCHEMA_REGISTRIES_PATH = "/srcm/v3/clusters"
KSQL_CLUSTERS_PATH = "/ksqldbcm/v2/clusters"
REGIONS_PATH = "/fcpm/v2/regions"
APPLIED_QUOTAS_PATH = "/service-quota/v1/applied-quotas"
QUOTA_SCOPES_PATH = "/service-quota/v1/scopes"

PATHS = (
    API_KEYS_PATH,
    SERVICE_ACCOUNTS_PATH,
    USERS_PATH,
    ENVIRONMENTS_PATH,
    ORGANIZATIONS_PATH,
    KAFKA_CLUSTERS_PATH,
    SCHEMA_REGISTRIES_PATH,
    KSQL_CLUSTERS_PATH,
    REGIONS_PATH,
    APPLIED_QUOTAS_PATH,
    QUOTA_SCOPES_PATH,
)
"""All listings. Single objects are not served."""

STS_PATH = "/sts/v1/oauth2/token"
IDENTITY_PROVIDER_PATH = "/identity-provider/oauth2/token"
"""The token endpoint of the identity providers, which in practice are other hosts."""

TOKEN_PATHS = (STS_PATH, IDENTITY_PROVIDER_PATH)

METRICS_DESCRIPTORS_PATH = "/v2/metrics/cloud/descriptors/metrics"
METRICS_QUERY_PATH = "/v2/metrics/cloud/query"

METRICS_PATHS = (METRICS_DESCRIPTORS_PATH, METRICS_QUERY_PATH)
"""The endpoints of the Metrics API, which in practice is another host."""
