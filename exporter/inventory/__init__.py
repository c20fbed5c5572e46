"""Counts API keys: pure functions with immutable results, without a clock or a connection."""

from exporter.inventory.ages import AGE_BOUNDS, Ages, Histogram, sorted_by_creation, youngest
from exporter.inventory.churn import Churn, ChurnKind, churn, count_by_kinds
from exporter.inventory.directory import Cluster, Directory
from exporter.inventory.findings import (
    Finding,
    Findings,
    ViolatingKeys,
    findings_of,
    violating_keys_at,
)
from exporter.inventory.inventory import FoldSettings, Inventory, at_time, fold, with_environments
from exporter.inventory.keys import (
    MAX_TEXT,
    OWNER_KINDS,
    RESOURCE_KINDS,
    UNKNOWN_KIND,
    Key,
    Owner,
    Resource,
    key_from,
)
from exporter.inventory.overrides import override_of
from exporter.inventory.policy import evaluated_kinds, evaluated_policies
from exporter.inventory.rules import POLICIES, Override, Rules
from exporter.inventory.teams import Team, owner_teams
from exporter.inventory.timestamps import plausible_creation, plausible_expiry
from exporter.inventory.usage import Usage

__all__ = [
    "AGE_BOUNDS",
    "MAX_TEXT",
    "OWNER_KINDS",
    "POLICIES",
    "RESOURCE_KINDS",
    "UNKNOWN_KIND",
    "Ages",
    "Churn",
    "ChurnKind",
    "Cluster",
    "Directory",
    "Finding",
    "Findings",
    "FoldSettings",
    "Histogram",
    "Inventory",
    "Key",
    "Override",
    "Owner",
    "Resource",
    "Rules",
    "Team",
    "Usage",
    "ViolatingKeys",
    "at_time",
    "churn",
    "count_by_kinds",
    "evaluated_kinds",
    "evaluated_policies",
    "findings_of",
    "fold",
    "key_from",
    "override_of",
    "owner_teams",
    "plausible_creation",
    "plausible_expiry",
    "sorted_by_creation",
    "violating_keys_at",
    "with_environments",
    "youngest",
]
