"""One loop per organization and collector: fetch, apply, publish, schedule the next refresh."""

from exporter.refresh.collector import Outcome, RefreshedCollector
from exporter.refresh.failure import REFRESH_FAILURE_REASONS, Failure, failure_from
from exporter.refresh.organization import OrganizationRefresh
from exporter.refresh.state import OrganizationState, RefreshStatus, Slice

__all__ = [
    "REFRESH_FAILURE_REASONS",
    "Failure",
    "OrganizationRefresh",
    "OrganizationState",
    "Outcome",
    "RefreshStatus",
    "RefreshedCollector",
    "Slice",
    "failure_from",
]
