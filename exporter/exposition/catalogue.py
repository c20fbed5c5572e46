"""Every metric this exporter publishes: name, type, help text and labels, in one table.

The rest of the program refers to these constants, ``docs/metrics.md`` is written from them, and a
test compares them with what is really exposed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MetricType = Literal["gauge", "counter", "histogram", "gaugehistogram", "info"]


@dataclass(frozen=True)
class Metric:
    """One metric family. ``name`` is that of its samples, with ``_total`` or ``_info``."""

    name: str
    type: MetricType
    help: str
    """Sentences, without double quotes, so that both formats write them alike."""
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class MetricGroup:
    """Metrics that belong together, for the documentation and for the order of the exposition."""

    title: str
    about: str
    metrics: tuple[Metric, ...]


_PAIR = ("owner_id", "owner_kind", "resource_id", "resource_kind", "environment_id")
_CACHED = " Cached: the value of the latest complete refresh."

PAIR_API_KEYS = Metric(
    "confluent_cloud_api_keys",
    "gauge",
    "API keys of one owner for one resource. A key for several resources counts once for each."
    + _CACHED,
    ("organization", *_PAIR),
)
OWNER_API_KEYS = Metric(
    "confluent_cloud_owner_api_keys",
    "gauge",
    "API keys of one owner. A key for several resources counts once." + _CACHED,
    ("organization", "owner_id", "owner_kind"),
)
RESOURCE_API_KEYS = Metric(
    "confluent_cloud_resource_api_keys",
    "gauge",
    "API keys for one resource. A key for several resources counts once for each." + _CACHED,
    ("organization", "resource_id", "resource_kind", "environment_id"),
)
ORGANIZATION_API_KEYS = Metric(
    "confluent_cloud_organization_api_keys",
    "gauge",
    "API keys that the credentials may see and the filters ask for. A key for several resources"
    " counts once." + _CACHED,
    ("organization",),
)
VANISHED = Metric(
    "confluent_cloud_organization_vanished_api_keys",
    "gauge",
    "API keys of the complete refresh before the latest that the latest does not list any more:"
    " deleted, or hidden from the credentials. Absent until there were two." + _CACHED,
    ("organization",),
)
VANISHED_RATIO = Metric(
    "confluent_cloud_organization_vanished_api_keys_ratio",
    "gauge",
    "Vanished API keys divided by all API keys of the complete refresh before the latest, 0 to 1. A"
    " clean-up takes some keys; a role that is taken away takes most of them at once, without an"
    " error. Absent until there were two." + _CACHED,
    ("organization",),
)
COLLAPSED_PAIRS = Metric(
    "confluent_cloud_exporter_collapsed_pairs",
    "gauge",
    "Pairs of owner and resource beyond max_pairs, which stand together as owner_id=other,"
    " resource_id=other." + _CACHED,
    ("organization",),
)
UNREADABLE_ITEMS = Metric(
    "confluent_cloud_exporter_unreadable_items",
    "gauge",
    "Items of the listing that could not be read and are in none of the counts; the log names"
    " them." + _CACHED,
    ("organization",),
)

API_KEY_AGES = Metric(
    "confluent_cloud_api_keys_age_seconds",
    "gaugehistogram",
    "Ages of the API keys whose creation time is believable, at the time of the refresh." + _CACHED,
    ("organization", "owner_kind"),
)
OLDEST_API_KEY = Metric(
    "confluent_cloud_owner_oldest_api_key_created_timestamp_seconds",
    "gauge",
    "Unix time at which the oldest API key of the owner was created." + _CACHED,
    ("organization", "owner_id", "owner_kind"),
)
NEXT_EXPIRY = Metric(
    "confluent_cloud_owner_next_api_key_expiry_timestamp_seconds",
    "gauge",
    "Unix time at which the next API key of the owner expires, of those that had not expired at the"
    " refresh. Absent where none expires." + _CACHED,
    ("organization", "owner_id", "owner_kind"),
)
MAX_AGE_REMAINING = Metric(
    "confluent_cloud_api_keys_max_age_remaining_seconds",
    "gaugehistogram",
    "Seconds until the API keys break the policy max_age; 0 for those that do. Without exempted"
    " keys, those of no owner and those whose creation time is not believable; absent where the"
    " policy is off." + _CACHED,
    ("organization", "owner_kind"),
)
VIOLATIONS = Metric(
    "confluent_cloud_api_key_policy_violations",
    "gauge",
    "API keys of the owner that break the policy and are not exempted. A policy without any has 0"
    " at owner_id empty; one that is off, or cannot be judged without the names, is absent."
    + _CACHED,
    ("organization", "policy", "owner_id", "owner_kind"),
)
EXEMPTED = Metric(
    "confluent_cloud_api_key_policy_exempted",
    "gauge",
    "API keys that break the policy and are exempted from it." + _CACHED,
    ("organization", "policy"),
)
THRESHOLD = Metric(
    "confluent_cloud_api_key_policy_threshold_seconds",
    "gauge",
    "The duration that is configured for the policy.",
    ("organization", "policy"),
)
API_KEYS_CREATED = Metric(
    "confluent_cloud_api_keys_created_total",
    "counter",
    "API keys that a complete refresh listed and the one before did not, without those that are"
    " older than that and were only hidden from the credentials; a key counts once for each kind of"
    " resource it opens, unheard-of kinds as unknown. The first refresh counts nothing.",
    ("organization", "owner_kind", "resource_kind"),
)
API_KEYS_DELETED = Metric(
    "confluent_cloud_api_keys_deleted_total",
    "counter",
    "API keys that a complete refresh did not list any more and the one before did; a key counts"
    " once for each kind of resource it opens.",
    ("organization", "owner_kind", "resource_kind"),
)
KEY_INFO = Metric(
    "confluent_cloud_api_key_info",
    "info",
    "One API key and what it opens, one series for each resource. Only with per_key_metrics."
    + _CACHED,
    ("organization", "api_key_id", *_PAIR),
)
KEY_CREATED = Metric(
    "confluent_cloud_api_key_created_timestamp_seconds",
    "gauge",
    "Unix time at which the API key was created. Only with per_key_metrics." + _CACHED,
    ("organization", "api_key_id"),
)
KEY_EXPIRY = Metric(
    "confluent_cloud_api_key_expiry_timestamp_seconds",
    "gauge",
    "Unix time at which the API key expires. Only with per_key_metrics." + _CACHED,
    ("organization", "api_key_id"),
)
NEW_CLOUD_OR_GLOBAL = Metric(
    "confluent_cloud_new_cloud_or_global_api_key_created_timestamp_seconds",
    "gauge",
    "Unix time at which an API key for Cloud resource management (resource kind cloud) or for many"
    " kinds of resources (global) was created, for the 20 newest that are younger than a day."
    + _CACHED,
    ("organization", "api_key_id", "owner_id", "owner_kind", "resource_kind"),
)
OWNER_INFO = Metric(
    "confluent_cloud_owner_info",
    "info",
    "The name of each owner that has a series elsewhere; its id where the name is not known.",
    ("organization", "owner_id", "owner_kind", "owner_name"),
)
RESOURCE_INFO = Metric(
    "confluent_cloud_resource_info",
    "info",
    "The name of each resource that has a series elsewhere; its id where the name is not known.",
    ("organization", "resource_id", "resource_kind", "environment_id", "resource_name"),
)
ENVIRONMENT_INFO = Metric(
    "confluent_cloud_environment_info",
    "info",
    "The name of each environment that has a series elsewhere; its id where the name is not known.",
    ("organization", "environment_id", "environment_name"),
)
ORGANIZATION_INFO = Metric(
    "confluent_cloud_organization_info",
    "info",
    "The organization as Confluent Cloud knows it.",
    ("organization", "organization_id", "organization_name"),
)
_QUOTA = ("quota_id", "scope", "owner_id", "environment_id", "resource_id")
QUOTA_LIMIT = Metric(
    "confluent_cloud_quota_limit",
    "gauge",
    "The applied limit of the quota, as the API says." + _CACHED,
    ("organization", *_QUOTA),
)
QUOTA_USAGE = Metric(
    "confluent_cloud_quota_usage",
    "gauge",
    "The usage of the quota, as the API says. Absent where it says nothing, which is not 0."
    + _CACHED,
    ("organization", *_QUOTA),
)
QUOTA_COUNTED = Metric(
    "confluent_cloud_quota_counted_usage",
    "gauge",
    "The usage of the quota, counted from the keys that were listed: for max_cloud_api_keys those"
    " for Cloud of the owner or the organization; for max_cluster_api_keys those of the owner for"
    " Kafka, Schema Registry and ksqlDB clusters; for max_api_keys.per_cluster those for the"
    " cluster. Too low if the credentials do not see all keys; absent with filters." + _CACHED,
    ("organization", *_QUOTA),
)

UP = Metric(
    "confluent_cloud_up",
    "gauge",
    "Whether the latest refresh of the collector succeeded (1) or failed (0). Absent until the"
    " first one has ended.",
    ("organization", "collector"),
)
LAST_SUCCESS = Metric(
    "confluent_cloud_exporter_last_success_timestamp_seconds",
    "gauge",
    "Unix time at which the latest successful refresh of the collector ended.",
    ("organization", "collector"),
)
STALE_AFTER = Metric(
    "confluent_cloud_exporter_stale_after_seconds",
    "gauge",
    "Seconds without a successful refresh of the collector after which what it found is too old to"
    " be shown. Absent for names, which stay.",
    ("organization", "collector"),
)
REFRESH_DURATION = Metric(
    "confluent_cloud_exporter_refresh_duration_seconds",
    "gauge",
    "Seconds that the latest refresh of the collector took, successful or not.",
    ("organization", "collector"),
)
ERROR_RATIO = Metric(
    "confluent_cloud_api_error_ratio",
    "gauge",
    "Failed requests divided by all requests of the latest refresh, 0 to 1.",
    ("organization", "endpoint"),
)
REFRESHES = Metric(
    "confluent_cloud_exporter_refreshes_total",
    "counter",
    "Refreshes of the collector that ended, successful or not.",
    ("organization", "collector"),
)
REFRESH_FAILING = Metric(
    "confluent_cloud_exporter_refresh_failing",
    "gauge",
    "Always 1, for the reason for which the latest refresh of the collector failed. Absent if it"
    " succeeded.",
    ("organization", "collector", "reason"),
)
REFRESH_FAILURES = Metric(
    "confluent_cloud_exporter_refresh_failures_total",
    "counter",
    "Refreshes of the collector that failed, by reason: that of the request or listing that ended"
    " it, or credentials (they could not be read) or internal (an error in the exporter).",
    ("organization", "collector", "reason"),
)

REQUESTS = Metric(
    "confluent_cloud_api_requests_total",
    "counter",
    "Requests to the API by HTTP status code; none where no response came. A code that neither the"
    " API documents nor a gateway usually sends is absent before its first response.",
    ("organization", "endpoint", "code"),
)
REQUEST_FAILURES = Metric(
    "confluent_cloud_api_request_failures_total",
    "counter",
    "Requests to the API that brought nothing of use, by reason.",
    ("organization", "endpoint", "reason"),
)
REQUEST_DURATION = Metric(
    "confluent_cloud_api_request_duration_seconds",
    "histogram",
    "Seconds from sending a request to the end of its response.",
    ("organization", "endpoint"),
)
THROTTLED = Metric(
    "confluent_cloud_api_throttled_seconds_total",
    "counter",
    "Seconds the exporter held back requests within its refreshes: to leave the reserve to others,"
    " because a 429 or 503 asked for it (retry_after), or before a retry (backoff).",
    ("organization", "reason"),
)
RATE_LIMIT = Metric(
    "confluent_cloud_api_rate_limit_limit",
    "gauge",
    "Requests that the API allows per window, as its latest response said.",
    ("organization", "endpoint"),
)
RATE_LIMIT_REMAINING = Metric(
    "confluent_cloud_api_rate_limit_remaining",
    "gauge",
    "Requests left in the window, for everybody who shares it, as the latest response said.",
    ("organization", "endpoint"),
)
RATE_LIMIT_RESET = Metric(
    "confluent_cloud_api_rate_limit_reset_seconds",
    "gauge",
    "Seconds until the window ends, counted from the latest response that spoke of it.",
    ("organization", "endpoint"),
)
RATE_LIMIT_OBSERVED = Metric(
    "confluent_cloud_api_rate_limit_observed_timestamp_seconds",
    "gauge",
    "Unix time of the latest response that spoke of the rate limit.",
    ("organization", "endpoint"),
)

BUILD_INFO = Metric(
    "confluent_cloud_exporter_build_info",
    "info",
    "The version of the exporter, and of the Python that runs it.",
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
    "Unix time at which the configuration was last loaded successfully.",
)
LOG_RECORDS_DROPPED = Metric(
    "confluent_cloud_exporter_log_records_dropped_total",
    "counter",
    "Log records that were not written because standard error was not read or could not be"
    " written.",
)

INVENTORY = MetricGroup(
    "Inventory",
    "From the latest complete listing. A failed refresh leaves them as they are; after"
    " `stale_after` they disappear.",
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
        OWNER_INFO,
        RESOURCE_INFO,
        ENVIRONMENT_INFO,
    ),
)
QUOTAS = MetricGroup(
    "Quotas",
    "From the latest listing of the quotas, which has an interval of its own and fails alone. After"
    " three intervals without success they disappear.",
    (QUOTA_LIMIT, QUOTA_USAGE, QUOTA_COUNTED),
)
POLICY_AND_CHURN = MetricGroup(
    "Policy, churn and the organization",
    "What is configured, and what came and went.",
    (THRESHOLD, API_KEYS_CREATED, API_KEYS_DELETED, ORGANIZATION_INFO),
)
REFRESH = MetricGroup(
    "Refreshes",
    "Whether the numbers above are current. `collector` is `api_keys`, `names` or `quotas`.",
    (
        UP,
        LAST_SUCCESS,
        STALE_AFTER,
        REFRESH_DURATION,
        ERROR_RATIO,
        REFRESHES,
        REFRESH_FAILURES,
        REFRESH_FAILING,
    ),
)
API = MetricGroup(
    "The Confluent Cloud API",
    "How healthy the API is and what the exporter spends of its rate limit. `endpoint` is the path"
    " template, such as `/iam/v2/api-keys`.",
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
    "The exporter itself",
    "Besides these, the usual `process_*` metrics and `python_info` of the Prometheus client"
    " library.",
    (BUILD_INFO, CONFIG_RELOAD_SUCCESSFUL, CONFIG_RELOAD_TIMESTAMP, LOG_RECORDS_DROPPED),
)
CATALOGUE: tuple[MetricGroup, ...] = (INVENTORY, QUOTAS, POLICY_AND_CHURN, REFRESH, API, EXPORTER)
