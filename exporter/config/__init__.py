"""Loads YAML, environment variables and secret files into one validated, immutable value."""

from exporter.config.certificates import ca_context
from exporter.config.credentials import (
    ApiKeyCredentials,
    Credentials,
    OAuthClient,
    PoolCredentials,
    TokenFile,
)
from exporter.config.editor_schema import json_schema
from exporter.config.files import version_of
from exporter.config.load import Config, load, parse
from exporter.config.policy_section import Override, Policy
from exporter.config.schema import Filters, Organization, RateLimit, Tls
from exporter.config.secrets import Secret
from exporter.config.shards import UNSHARDED, Shard, shard_of
from exporter.config.web_config import (
    ClientAuth,
    TlsConfig,
    WebConfig,
    WebRateLimit,
    load_web_config,
)

__all__ = [
    "UNSHARDED",
    "ApiKeyCredentials",
    "ClientAuth",
    "Config",
    "Credentials",
    "Filters",
    "OAuthClient",
    "Organization",
    "Override",
    "Policy",
    "PoolCredentials",
    "RateLimit",
    "Secret",
    "Shard",
    "Tls",
    "TlsConfig",
    "TokenFile",
    "WebConfig",
    "WebRateLimit",
    "ca_context",
    "json_schema",
    "load",
    "load_web_config",
    "parse",
    "shard_of",
    "version_of",
]
