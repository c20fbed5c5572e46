"""Counts API keys: pure functions with immutable results, without a clock or a connection."""

from exporter.inventory.ages import AGE_BOUNDS, Ages, Histogram, youngest
from exporter.inventory.churn import Churn, by_kinds, churn
from exporter.inventory.directory import Cluster, Directory
from exporter.inventory.findings import Finding, Findings, findings_of
from exporter.inventory.inventory import FoldSettings, Inventory, fold, later, place
from exporter.inventory.keys import (
    OWNER_KINDS,
    RESOURCE_KINDS,
    UNKNOWN_KIND,
    Key,
    Owner,
    Resource,
    key_of,
)
from exporter.inventory.policy import POLICIES, Rules, judged, judged_kinds
from exporter.inventory.timestamps import believable_creation, believable_expiry

__all__ = [
    "AGE_BOUNDS",
    "OWNER_KINDS",
    "POLICIES",
    "RESOURCE_KINDS",
    "UNKNOWN_KIND",
    "Ages",
    "Churn",
    "Cluster",
    "Directory",
    "Finding",
    "Findings",
    "FoldSettings",
    "Histogram",
    "Inventory",
    "Key",
    "Owner",
    "Resource",
    "Rules",
    "believable_creation",
    "believable_expiry",
    "by_kinds",
    "churn",
    "findings_of",
    "fold",
    "judged",
    "judged_kinds",
    "key_of",
    "later",
    "place",
    "youngest",
]
