"""Every metric this exporter publishes: name, type, help text and labels, in one table.

The rest of the program uses these constants, and ``docs/metrics.md`` is generated from them. A test
compares them with the real exposition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MetricType = Literal["gauge", "counter", "histogram", "gaugehistogram", "info"]


@dataclass(frozen=True)
class Metric:
    """One metric family. ``name`` is the name of its samples, including ``_total`` or ``_info``."""

    name: str
    type: MetricType
    help: str
    """Sentences without double quotes, which the two formats escape differently."""
    labels: tuple[str, ...] = ()
    details: str = ""
    """More sentences for the documentation, in Markdown."""


@dataclass(frozen=True)
class MetricGroup:
    """Metrics that are documented and exposed together, in order."""

    title: str
    about: str
    metrics: tuple[Metric, ...]


_PAIR = ("owner_id", "owner_kind", "resource_id", "resource_kind", "environment_id")

PAIR_API_KEYS = Metric(
    "confluent_cloud_api_keys",
    "gauge",
    "Number of API keys of the owner for the resource. A key for several resources counts once for"
    " each.",
    ("organization", *_PAIR),
)
OWNER_API_KEYS = Metric(
    "confluent_cloud_owner_api_keys",
    "gauge",
    "Number of API keys of the owner. A key for several resources counts once.",
    ("organization", "owner_id", "owner_kind"),
)
RESOURCE_API_KEYS = Metric(
    "confluent_cloud_resource_api_keys",
    "gauge",
    "Number of API keys for the resource. A key for several resources counts once for each.",
    ("organization", "resource_id", "resource_kind", "environment_id"),
)
ORGANIZATION_API_KEYS = Metric(
    "confluent_cloud_organization_api_keys",
    "gauge",
    "Number of API keys that the credentials can see and the filters select. A key for several"
    " resources counts once.",
    ("organization",),
)
VANISHED = Metric(
    "confluent_cloud_organization_vanished_api_keys",
    "gauge",
    "Number of API keys in the previous complete listing that are missing from the latest one."
    " Absent until two listings have succeeded.",
    ("organization",),
    details="They were deleted, or the credentials can no longer see them.",
)
VANISHED_RATIO = Metric(
    "confluent_cloud_organization_vanished_api_keys_ratio",
    "gauge",
    "Vanished API keys divided by all API keys in the previous complete listing, 0 to 1. Absent"
    " until two refreshes have completed.",
    ("organization",),
    details=(
        "A cleanup removes some keys. A role that was revoked hides most keys at once, without an"
        " error."
    ),
)
COLLAPSED_PAIRS = Metric(
    "confluent_cloud_exporter_collapsed_pairs",
    "gauge",
    "Number of owner-resource pairs beyond max_pairs, which share the series with owner_id=other"
    " and resource_id=other.",
    ("organization",),
)
UNREADABLE_ITEMS = Metric(
    "confluent_cloud_exporter_unreadable_items",
    "gauge",
    "Number of items in the API key listing that could not be parsed and are not counted.",
    ("organization",),
    details="The log names them.",
)
CREDENTIAL_CREATED = Metric(
    "confluent_cloud_exporter_credential_created_timestamp_seconds",
    "gauge",
    "Creation time of the API key that the exporter itself uses, in Unix seconds. Absent if the"
    " listing does not contain the key.",
    ("organization",),
    details="`filters` and narrow roles hide it, and identity pools have none.",
)
CREDENTIAL_EXPIRY = Metric(
    "confluent_cloud_exporter_credential_expiry_timestamp_seconds",
    "gauge",
    "Expiry time of the API key that the exporter itself uses, in Unix seconds. Absent if the key"
    " does not expire or the listing does not contain it.",
    ("organization",),
)

API_KEY_AGES = Metric(
    "confluent_cloud_api_keys_age_seconds",
    "gaugehistogram",
    "Ages of the API keys in seconds at the time of the refresh, excluding keys without a"
    " plausible creation time.",
    ("organization", "owner_kind"),
)
OLDEST_API_KEY = Metric(
    "confluent_cloud_owner_oldest_api_key_created_timestamp_seconds",
    "gauge",
    "Creation time of the owner's oldest API key, in Unix seconds. Absent without a plausible"
    " creation time.",
    ("organization", "owner_id", "owner_kind"),
)
NEXT_EXPIRY = Metric(
    "confluent_cloud_owner_next_api_key_expiry_timestamp_seconds",
    "gauge",
    "Time at which the owner's next unexpired API key expires, in Unix seconds. Absent if none"
    " expires.",
    ("organization", "owner_id", "owner_kind"),
)
MAX_AGE_REMAINING = Metric(
    "confluent_cloud_api_keys_max_age_remaining_seconds",
    "gaugehistogram",
    "Seconds until the API keys exceed the policy max_age, 0 for keys that already have. Absent"
    " while the policy is off.",
    ("organization", "owner_kind"),
    details=(
        "Excludes exempt keys, keys without an owner and keys without a plausible creation time."
    ),
)
VIOLATIONS = Metric(
    "confluent_cloud_api_key_policy_violations",
    "gauge",
    "Number of the owner's API keys that violate the policy, excluding exempt keys. Absent while"
    " the policy is off or cannot be evaluated.",
    ("organization", "policy", "owner_id", "owner_kind"),
    details=(
        "A policy without violations has the value 0 with an empty `owner_id`. `unknown_owner`"
        " cannot be evaluated without names."
    ),
)
EXEMPTED = Metric(
    "confluent_cloud_api_key_policy_exempted",
    "gauge",
    "Number of exempt API keys that would otherwise violate the policy. Absent while the policy is"
    " off or cannot be evaluated.",
    ("organization", "policy"),
)
THRESHOLD = Metric(
    "confluent_cloud_api_key_policy_threshold_seconds",
    "gauge",
    "Configured duration of the policy in seconds. Absent while the policy is off.",
    ("organization", "policy"),
)
_CHURN = ("organization", "owner_kind", "resource_kind", "exempt")
_EXEMPT = 'Series with `exempt="true"` exist once `policy.exempt` is set.'
API_KEYS_CREATED = Metric(
    "confluent_cloud_api_keys_created_total",
    "counter",
    "Total number of API keys created between consecutive complete listings, counted once for each"
    " resource kind of a key.",
    _CHURN,
    details=(
        "Excludes older keys that the credentials could not see before. The first refresh counts"
        f" nothing. {_EXEMPT}"
    ),
)
API_KEYS_DELETED = Metric(
    "confluent_cloud_api_keys_deleted_total",
    "counter",
    "Total number of API keys that disappeared between consecutive complete listings, counted once"
    " for each resource kind of a key.",
    _CHURN,
    details=f"They were deleted, or the credentials can no longer see them. {_EXEMPT}",
)
KEY_INFO = Metric(
    "confluent_cloud_api_key_info",
    "info",
    "API key with its owner and one of its resources, always 1. Absent without per_key_metrics.",
    ("organization", "api_key_id", "display_name", *_PAIR),
    details="`display_name` is empty without `per_key_display_names`.",
)
KEY_CREATED = Metric(
    "confluent_cloud_api_key_created_timestamp_seconds",
    "gauge",
    "Creation time of the API key, in Unix seconds. Absent without per_key_metrics or a plausible"
    " creation time.",
    ("organization", "api_key_id"),
)
KEY_EXPIRY = Metric(
    "confluent_cloud_api_key_expiry_timestamp_seconds",
    "gauge",
    "Expiry time of the API key, in Unix seconds. Absent without per_key_metrics or an expiry.",
    ("organization", "api_key_id"),
)
NEW_CLOUD_OR_GLOBAL = Metric(
    "confluent_cloud_new_cloud_or_global_api_key_created_timestamp_seconds",
    "gauge",
    "Creation time, in Unix seconds, of each of the 20 newest API keys with the resource kind cloud"
    " or global. Absent once the key is a day old.",
    ("organization", "api_key_id", "owner_id", "owner_kind", "resource_kind"),
)
OWNER_INFO = Metric(
    "confluent_cloud_owner_info",
    "info",
    "Display name of the owner, or the owner's id while the name is unknown; always 1.",
    ("organization", "owner_id", "owner_kind", "owner_name"),
)
OWNER_TEAM_INFO = Metric(
    "confluent_cloud_owner_team_info",
    "info",
    "Team that is responsible for the owner, always 1. Absent for an owner without a team.",
    ("organization", "owner_id", "team"),
    details="An owner has at most one team: the first that matches.",
)
RESOURCE_INFO = Metric(
    "confluent_cloud_resource_info",
    "info",
    "Display name of the resource, or its id while the name is unknown; always 1.",
    ("organization", "resource_id", "resource_kind", "environment_id", "resource_name"),
)
ENVIRONMENT_INFO = Metric(
    "confluent_cloud_environment_info",
    "info",
    "Display name of the environment, or its id while the name is unknown; always 1.",
    ("organization", "environment_id", "environment_name"),
)
ORGANIZATION_INFO = Metric(
    "confluent_cloud_organization_info",
    "info",
    "Id and display name of the organization in Confluent Cloud, always 1. Absent until names have"
    " been fetched.",
    ("organization", "organization_id", "organization_name"),
)
_QUOTA = ("quota_id", "scope", "owner_id", "environment_id", "resource_id")
QUOTA_LIMIT = Metric(
    "confluent_cloud_quota_limit",
    "gauge",
    "Applied limit of the quota, as reported by the API.",
    ("organization", *_QUOTA),
)
QUOTA_USAGE = Metric(
    "confluent_cloud_quota_usage",
    "gauge",
    "Usage of the quota, as reported by the API. Absent if the API does not report it, which does"
    " not mean 0.",
    ("organization", *_QUOTA),
)
QUOTA_COUNTED = Metric(
    "confluent_cloud_quota_counted_usage",
    "gauge",
    "Usage of the quota, counted from the listed API keys. Absent with filters and for quotas that"
    " cannot be counted this way.",
    ("organization", *_QUOTA),
    details=(
        "`max_cloud_api_keys` counts the owner's or organization's keys of the kind `cloud`,"
        " `max_cluster_api_keys` the owner's keys for Kafka, Schema Registry and ksqlDB clusters,"
        " and `max_api_keys.per_cluster` the keys for the cluster. Too low if the credentials"
        " cannot see all keys. Disappears when the listing of API keys is stale."
    ),
)

UP = Metric(
    "confluent_cloud_up",
    "gauge",
    "Whether the latest refresh of the collector succeeded (1) or failed (0). Absent until the"
    " first refresh has ended.",
    ("organization", "collector"),
)
LAST_SUCCESS = Metric(
    "confluent_cloud_exporter_last_success_timestamp_seconds",
    "gauge",
    "End of the collector's latest successful refresh, in Unix seconds. Absent until one has"
    " succeeded.",
    ("organization", "collector"),
)
STALE_AFTER = Metric(
    "confluent_cloud_exporter_stale_after_seconds",
    "gauge",
    "Seconds without a successful refresh after which the collector's metrics are removed. Absent"
    " for names, which are kept.",
    ("organization", "collector"),
)
REFRESH_DURATION = Metric(
    "confluent_cloud_exporter_refresh_duration_seconds",
    "gauge",
    "Duration of the collector's latest refresh in seconds, successful or not. Absent until the"
    " first refresh has ended.",
    ("organization", "collector"),
)
ERROR_RATIO = Metric(
    "confluent_cloud_api_error_ratio",
    "gauge",
    "Failed requests divided by all requests of the latest refresh, 0 to 1. Absent for endpoints"
    " without a request.",
    ("organization", "endpoint"),
)
REFRESHES = Metric(
    "confluent_cloud_exporter_refreshes_total",
    "counter",
    "Total number of completed refreshes of the collector, successful or not.",
    ("organization", "collector"),
)
REFRESH_FAILING = Metric(
    "confluent_cloud_exporter_refresh_failing",
    "gauge",
    "Reason why the collector's latest refresh failed, always 1. Absent if it succeeded.",
    ("organization", "collector", "reason"),
)
REFRESH_FAILURES = Metric(
    "confluent_cloud_exporter_refresh_failures_total",
    "counter",
    "Total number of failed refreshes of the collector, by reason.",
    ("organization", "collector", "reason"),
    details=(
        "Besides the reasons of failed requests: `credentials` (could not be read),"
        " `token_unreadable` (the file with the identity provider's token), `identity_provider`"
        " (issued no token), `token_refused` (Confluent Cloud rejected the identity provider's"
        " token) and `internal` (an error in the exporter)."
    ),
)
TOKEN_EXPIRY = Metric(
    "confluent_cloud_exporter_token_expiry_timestamp_seconds",
    "gauge",
    "Expiry time of the latest token of the identity pool, in Unix seconds. Absent with an API key"
    " and before the first token.",
    ("organization",),
    details=(
        "A time in the past is normal between two refreshes, because tokens are only fetched for"
        " requests."
    ),
)

REQUESTS = Metric(
    "confluent_cloud_api_requests_total",
    "counter",
    "Total number of requests to the API, by HTTP status code. Unusual codes are absent until the"
    " first such response.",
    ("organization", "endpoint", "code"),
    details="`none` means that no response arrived.",
)
REQUEST_FAILURES = Metric(
    "confluent_cloud_api_request_failures_total",
    "counter",
    "Total number of requests to the API without a usable response, by reason.",
    ("organization", "endpoint", "reason"),
)
REQUEST_DURATION = Metric(
    "confluent_cloud_api_request_duration_seconds",
    "histogram",
    "Duration of requests to the API in seconds, from sending the request to the end of the"
    " response.",
    ("organization", "endpoint"),
)
THROTTLED = Metric(
    "confluent_cloud_api_throttled_seconds_total",
    "counter",
    "Total time in seconds that requests were delayed, by reason.",
    ("organization", "reason"),
    details=(
        "`reserve`: to leave the configured share of the rate limit to other clients."
        " `retry_after`: a 429 or 503 response asked for it. `backoff`: before a retry."
    ),
)
RATE_LIMIT = Metric(
    "confluent_cloud_api_rate_limit_limit",
    "gauge",
    "Requests allowed per rate limit window, as reported by the latest response. Absent until"
    " reported.",
    ("organization", "endpoint"),
)
RATE_LIMIT_REMAINING = Metric(
    "confluent_cloud_api_rate_limit_remaining",
    "gauge",
    "Requests left in the rate limit window for all clients that share it, as reported by the"
    " latest response. Absent until reported.",
    ("organization", "endpoint"),
)
RATE_LIMIT_RESET = Metric(
    "confluent_cloud_api_rate_limit_reset_seconds",
    "gauge",
    "Seconds from the latest response with rate limit headers to the end of the window. Absent"
    " until reported.",
    ("organization", "endpoint"),
)
RATE_LIMIT_OBSERVED = Metric(
    "confluent_cloud_api_rate_limit_observed_timestamp_seconds",
    "gauge",
    "Time of the latest response with rate-limit headers, in Unix seconds. Absent until there has"
    " been one.",
    ("organization", "endpoint"),
)

BUILD_INFO = Metric(
    "confluent_cloud_exporter_build_info",
    "info",
    "Version of the exporter and of the Python interpreter, always 1.",
    ("version", "python_version"),
)
CONFIG_RELOAD_SUCCESSFUL = Metric(
    "confluent_cloud_exporter_config_last_reload_successful",
    "gauge",
    "Whether the latest attempt to load the configuration succeeded (1) or failed (0).",
)
CONFIG_RELOAD_TIMESTAMP = Metric(
    "confluent_cloud_exporter_config_last_reload_success_timestamp_seconds",
    "gauge",
    "Time of the latest successful load of the configuration, in Unix seconds.",
)
SHARD_ORDINAL = Metric(
    "confluent_cloud_exporter_shard_ordinal",
    "gauge",
    "Number of the exporter's shard, from 0. Always 0 without sharding.",
    ("shard_ordinal",),
    details="The label has the same value. See [sharding.md](sharding.md).",
)
TOTAL_SHARDS = Metric(
    "confluent_cloud_exporter_total_shards",
    "gauge",
    "Number of shards that share the organizations, from --total-shards. 1 without sharding.",
)
LOG_RECORDS_DROPPED = Metric(
    "confluent_cloud_exporter_log_records_dropped_total",
    "counter",
    "Total number of log records dropped because standard error was not read or could not be"
    " written to.",
)

WEB_CONFIG_RELOAD_SUCCESSFUL = Metric(
    "confluent_cloud_exporter_web_config_last_reload_successful",
    "gauge",
    "Whether the latest attempt to load the web configuration succeeded (1) or failed (0). Absent"
    " without --web.config.file.",
)
WEB_CONFIG_RELOAD_TIMESTAMP = Metric(
    "confluent_cloud_exporter_web_config_last_reload_success_timestamp_seconds",
    "gauge",
    "Time of the latest successful load of the web configuration, in Unix seconds. Absent without"
    " --web.config.file.",
    details="Also set when a certificate, key or CA file that it names was changed and loaded.",
)
WEB_TLS_HANDSHAKE_FAILURES = Metric(
    "confluent_cloud_exporter_web_tls_handshake_failures_total",
    "counter",
    "Total number of connections to the exporter whose TLS handshake failed. Absent without"
    " --web.config.file.",
)
WEB_AUTHENTICATION_FAILURES = Metric(
    "confluent_cloud_exporter_web_authentication_failures_total",
    "counter",
    "Total number of requests to the exporter with a wrong user name or password. Absent without"
    " --web.config.file.",
)
KEYS_PAGE_INFO = Metric(
    "confluent_cloud_keys_page_info",
    "info",
    "URL of the exporter's page of API keys, always 1. Absent unless both"
    " --web.enable-inventory and --web.external-url are set.",
    ("organization", "url"),
    details="Alerts link to it.",
)

OWNER_LAST_ACTIVE = Metric(
    "confluent_cloud_owner_last_active_timestamp_seconds",
    "gauge",
    "End of the latest hour in which the owner made a request to the Kafka cluster, in Unix"
    " seconds. Absent if no request is known.",
    ("organization", "owner_id", "owner_kind", "resource_id"),
    details="Only owners that have API keys. Needs `usage.enabled`.",
)
USAGE_WINDOW_START = Metric(
    "confluent_cloud_usage_window_start_timestamp_seconds",
    "gauge",
    "Time since which activity is known for every Kafka cluster, in Unix seconds.",
    ("organization",),
)
USAGE_UNJUDGED = Metric(
    "confluent_cloud_usage_unjudged_resources",
    "gauge",
    "Number of Kafka clusters with API keys that are not evaluated, because their data name no"
    " owner or are missing.",
    ("organization",),
    details="Keys for these clusters are never findings of `unused_for`.",
)
INVENTORY = MetricGroup(
    "Inventory",
    "From the latest complete listing of the API keys. Info metrics name each owner, resource and"
    " environment in the other metrics.",
    (
        ORGANIZATION_API_KEYS,
        OWNER_API_KEYS,
        RESOURCE_API_KEYS,
        PAIR_API_KEYS,
        API_KEY_AGES,
        MAX_AGE_REMAINING,
        OLDEST_API_KEY,
        NEXT_EXPIRY,
        VIOLATIONS,
        EXEMPTED,
        NEW_CLOUD_OR_GLOBAL,
        KEY_INFO,
        KEY_CREATED,
        KEY_EXPIRY,
        VANISHED,
        VANISHED_RATIO,
        COLLAPSED_PAIRS,
        UNREADABLE_ITEMS,
        CREDENTIAL_CREATED,
        CREDENTIAL_EXPIRY,
        OWNER_INFO,
        OWNER_TEAM_INFO,
        RESOURCE_INFO,
        ENVIRONMENT_INFO,
    ),
)
QUOTAS = MetricGroup(
    "Quotas",
    "From the latest listing of the quotas, which has its own interval. They become stale after"
    " three intervals without success.",
    (QUOTA_LIMIT, QUOTA_USAGE, QUOTA_COUNTED),
)
USAGE = MetricGroup(
    "Usage",
    "Which owners use which Kafka clusters, from the Metrics API. These metrics never become stale,"
    " because past activity stays a fact.",
    (OWNER_LAST_ACTIVE, USAGE_WINDOW_START, USAGE_UNJUDGED),
)
POLICY_AND_CHURN = MetricGroup(
    "Policy, churn and the organization",
    "The configuration, changes since the exporter started, and the organization. They never become"
    " stale.",
    (THRESHOLD, API_KEYS_CREATED, API_KEYS_DELETED, ORGANIZATION_INFO),
)
REFRESH = MetricGroup(
    "Refreshes",
    "Whether the metrics above are current, and if not, why. They never become stale.",
    (
        UP,
        LAST_SUCCESS,
        STALE_AFTER,
        REFRESH_DURATION,
        ERROR_RATIO,
        REFRESHES,
        REFRESH_FAILURES,
        REFRESH_FAILING,
        TOKEN_EXPIRY,
    ),
)
API = MetricGroup(
    "Confluent Cloud API",
    "The health of the API and the exporter's use of its rate limit. They are updated with every"
    " request, including those for tokens.",
    (
        REQUESTS,
        REQUEST_FAILURES,
        REQUEST_DURATION,
        THROTTLED,
        RATE_LIMIT,
        RATE_LIMIT_REMAINING,
        RATE_LIMIT_RESET,
        RATE_LIMIT_OBSERVED,
    ),
)
EXPORTER = MetricGroup(
    "Exporter",
    "The exporter also exposes the usual `process_*` metrics and `python_info` of the Prometheus"
    " client library.",
    (
        BUILD_INFO,
        CONFIG_RELOAD_SUCCESSFUL,
        CONFIG_RELOAD_TIMESTAMP,
        SHARD_ORDINAL,
        TOTAL_SHARDS,
        LOG_RECORDS_DROPPED,
    ),
)
WEB = MetricGroup(
    "Web server",
    "The exporter's own web server: its configuration, the clients that it rejected, and its page"
    " of API keys.",
    (
        KEYS_PAGE_INFO,
        WEB_CONFIG_RELOAD_SUCCESSFUL,
        WEB_CONFIG_RELOAD_TIMESTAMP,
        WEB_TLS_HANDSHAKE_FAILURES,
        WEB_AUTHENTICATION_FAILURES,
    ),
)
CATALOGUE: tuple[MetricGroup, ...] = (
    INVENTORY,
    QUOTAS,
    USAGE,
    POLICY_AND_CHURN,
    REFRESH,
    API,
    EXPORTER,
    WEB,
)
