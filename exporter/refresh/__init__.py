"""One loop per organization and collector: fetch, apply, publish, schedule the next refresh."""

from exporter.refresh.collector import Collector, Outcome
from exporter.refresh.holder import Holder
from exporter.refresh.loop import REFRESH_FAILURE_REASONS, Refresher
from exporter.refresh.organization import OrganizationRefresh
from exporter.refresh.state import (
    CollectorState,
    Failure,
    OrganizationState,
    Slice,
    failure_from,
)

__all__ = [
    "REFRESH_FAILURE_REASONS",
    "Collector",
    "CollectorState",
    "Failure",
    "Holder",
    "OrganizationRefresh",
    "OrganizationState",
    "Outcome",
    "Refresher",
    "Slice",
    "failure_from",
]
