"""The collector of names: those of owners, resources, environments and the organization."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from exporter.collectors.names_listing import CLUSTERS, list_names
from exporter.confluent.endpoints import (
    ENVIRONMENTS,
    ORGANIZATIONS,
    REGIONS,
    SERVICE_ACCOUNTS,
    USERS,
)
from exporter.exposition import catalogue, part
from exporter.inventory import Directory
from exporter.refresh import Outcome, Slice
from exporter.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Self

    from exporter.clock import Clock
    from exporter.config import Organization
    from exporter.confluent.host import Host
    from exporter.confluent.request import Budget
    from exporter.exposition import Part
    from exporter.exposition.catalogue import Metric
    from exporter.refresh import OrganizationState

DIRECTORY = Slice("names", Directory())


class NamesCollector:
    """Lists service accounts, environments, clusters, regions and the organization.

    Users are listed if the configuration enables it. Each of these sources fails independently; if
    one fails, the names of its latest successful listing stay.
    """

    name = DIRECTORY.collector
    low_priority = True
    host_name = "api"
    stale_after = None
    metrics: ClassVar[Sequence[Metric]] = (catalogue.ORGANIZATION_INFO,)
    _sample_clusters = False

    def __init__(self, organization: Organization, *, clock: Clock) -> None:
        self._users = organization.names.users
        self._page_size = organization.page_size
        self._clock = clock
        self.interval = organization.names.refresh_interval

    @classmethod
    def create(cls, organization: Organization, *, clock: Clock) -> Self | None:
        """See :class:`~exporter.collectors.Collector`."""
        return cls(organization, clock=clock) if organization.names.enabled else None

    @property
    def endpoints(self) -> Sequence[str]:
        """See :class:`~exporter.refresh.RefreshedCollector`."""
        listings = (SERVICE_ACCOUNTS, ENVIRONMENTS, *CLUSTERS, REGIONS, ORGANIZATIONS)
        users = [USERS.endpoint] if self._users else []
        return [each.endpoint for each in listings] + users

    async def collect(self, host: Host, budget: Budget, state: OrganizationState) -> Outcome:
        """See :class:`~exporter.refresh.RefreshedCollector`."""
        directory, failure = await list_names(
            host,
            budget,
            clock=self._clock,
            users=self._users,
            page_size=self._page_size,
            before=state.get(DIRECTORY),
            sample_clusters=self._sample_clusters,
        )
        return Outcome(lambda state: state.with_slice(DIRECTORY, directory), failure)

    def derive(self, state: OrganizationState, *, now: float) -> OrganizationState:
        """Return ``state`` without the names of users if they are disabled since a reload."""
        del now
        directory = state.get(DIRECTORY)
        if self._users or not (directory.users or "user" in directory.complete):
            return state
        complete = {kind: at for kind, at in directory.complete.items() if kind != "user"}
        return state.with_slice(DIRECTORY, replace(directory, users={}, complete=complete))

    def render(self, state: OrganizationState, before: OrganizationState | None) -> Iterable[Part]:
        """Yield the organization's own name; the names of the others belong to its keys."""
        del before
        directory = state.get(DIRECTORY)
        labels = (state.name, directory.organization_id, directory.organization_name)
        yield part(
            [(catalogue.ORGANIZATION_INFO, [(labels, 1)] if directory.organization_id else [])]
        )

    def summarize(self, state: OrganizationState) -> Summary:
        """Return nothing: the names stand beside the ids in the other summaries."""
        del state
        return Summary()


class SampledNamesCollector(NamesCollector):
    """Lists the Schema Registry and ksqlDB clusters of one environment only.

    Their names are then incomplete, but a missing role still shows. Kafka clusters are always
    listed in full, because the policy ``unknown_owner`` needs their environments.
    """

    _sample_clusters = True
