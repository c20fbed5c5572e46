"""One loop per organization and collector: fetch, fold, publish, schedule the next."""

from exporter.refresh.loop import (
    API_KEYS_COLLECTOR,
    REFRESH_FAILURE_REASONS,
    Observer,
    Refresher,
)
from exporter.refresh.state import CollectorState, Failure, OrganizationState

__all__ = [
    "API_KEYS_COLLECTOR",
    "REFRESH_FAILURE_REASONS",
    "CollectorState",
    "Failure",
    "Observer",
    "OrganizationState",
    "Refresher",
]
