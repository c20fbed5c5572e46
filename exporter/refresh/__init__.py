"""One loop per organization and collector: fetch, apply, publish, schedule the next refresh."""

from exporter.refresh.collector import Outcome, RefreshedCollector
from exporter.refresh.loop import REFRESH_FAILURE_REASONS
from exporter.refresh.organization import OrganizationRefresh
from exporter.refresh.state import (
    Failure,
    OrganizationState,
    RefreshStatus,
    Slice,
    failure_from,
)

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
