"""The configuration: YAML, environment and secret files become one frozen, validated value."""

from exporter.config.editor import json_schema
from exporter.config.load import Config, load, parse
from exporter.config.schema import (
    Filters,
    Names,
    Organization,
    Policy,
    Quotas,
    RateLimit,
)
from exporter.config.secrets import Credentials, Secret

__all__ = [
    "Config",
    "Credentials",
    "Filters",
    "Names",
    "Organization",
    "Policy",
    "Quotas",
    "RateLimit",
    "Secret",
    "json_schema",
    "load",
    "parse",
]
