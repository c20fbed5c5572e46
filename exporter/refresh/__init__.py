"""One loop per organization and collector: fetch, fold, publish, schedule the next."""

from exporter.refresh.api_keys import ApiKeysCollector
from exporter.refresh.holder import Holder
from exporter.refresh.loop import REFRESH_FAILURE_REASONS, Collector, Observer, Refresher
from exporter.refresh.state import CollectorState, Failure, OrganizationState

__all__ = [
    "REFRESH_FAILURE_REASONS",
    "ApiKeysCollector",
    "Collector",
    "CollectorState",
    "Failure",
    "Holder",
    "Observer",
    "OrganizationState",
    "Refresher",
]
