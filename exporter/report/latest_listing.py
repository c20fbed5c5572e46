"""The keys of an organization as of its latest listing, if they are fresh enough to be shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.report.rows import OrganizationKeys


@dataclass(frozen=True, eq=False)
class LatestListing:
    """The latest complete listing of one organization."""

    organization: str
    began: float | None = None
    """Unix time; None before the first complete listing."""
    keys: OrganizationKeys | None = None
    """None also if the listing is too old to be shown, as for the metrics."""
    unevaluated: frozenset[str] = field(default_factory=frozenset)
    """The enabled policies that could not be evaluated."""
    disabled: frozenset[str] = field(default_factory=frozenset)
    """The policies that are not enabled."""
