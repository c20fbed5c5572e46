"""One loop per organization and collector: fetch, fold, publish, schedule the next."""

from exporter.refresh.api_keys import ApiKeysCollector
from exporter.refresh.holder import Holder
from exporter.refresh.loop import REFRESH_FAILURE_REASONS, Collector, Outcome, Refresher
from exporter.refresh.names import NamesCollector
from exporter.refresh.quotas import QuotasCollector
from exporter.refresh.state import (
    ChurnTotals,
    CollectorState,
    Failure,
    OrganizationState,
    Quota,
)
from exporter.refresh.summary import Summary, summarize

__all__ = [
    "REFRESH_FAILURE_REASONS",
    "ApiKeysCollector",
    "ChurnTotals",
    "Collector",
    "CollectorState",
    "Failure",
    "Holder",
    "NamesCollector",
    "OrganizationState",
    "Outcome",
    "Quota",
    "QuotasCollector",
    "Refresher",
    "Summary",
    "summarize",
]
