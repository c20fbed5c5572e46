"""What a collector brings."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

from exporter.refresh import RefreshedCollector

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Self

    from exporter.clock import Clock
    from exporter.config import Organization
    from exporter.exposition import Part
    from exporter.exposition.catalogue import Metric
    from exporter.refresh import OrganizationState
    from exporter.summary import Summary


class Collector(RefreshedCollector, Protocol):
    """A collector as the whole program sees it: refreshed, exposed and shown on the status page."""

    metrics: ClassVar[Sequence[Metric]]
    """The metrics that it exposes, in the order of the exposition."""

    @classmethod
    def create(cls, organization: Organization, *, clock: Clock) -> Self | None:
        """Return the collector of an organization, None if its configuration disables it."""

    def render(self, state: OrganizationState, before: OrganizationState | None) -> Iterable[Part]:
        """See :class:`~exporter.exposition.rendering.Renderer`."""

    def summarize(self, state: OrganizationState) -> Summary:
        """Return what people should see of ``state`` now, on the status page and in ``check``."""
