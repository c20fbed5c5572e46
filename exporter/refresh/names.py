"""The collector of names: who the owners are, what the resources are, and where."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from exporter.confluent.client import (
    ENVIRONMENTS,
    KAFKA_CLUSTERS,
    KSQLDB_CLUSTERS,
    ORGANIZATIONS,
    REGIONS,
    SCHEMA_REGISTRIES,
    SERVICE_ACCOUNTS,
    USERS,
)
from exporter.errors import ApiError, Forbidden, NotFound, PaginationError, Unauthorized
from exporter.inventory import Cluster, Directory
from exporter.refresh.folding import fold_anew
from exporter.refresh.loop import Outcome
from exporter.refresh.state import Failure, failure_from
from exporter.refresh.unreadable import UnreadableLog

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from exporter.clock import Clock
    from exporter.config import Organization
    from exporter.confluent import wire
    from exporter.confluent.client import Budget, Client, Listing
    from exporter.refresh.state import OrganizationState

T = TypeVar("T")
_ENOUGH_REFUSALS = 2
_MAX_ITEMS = 100_000
_LONGEST_NAME = 255
_CLUSTERS = (KAFKA_CLUSTERS, SCHEMA_REGISTRIES, KSQLDB_CLUSTERS)


class NamesCollector:
    """Lists service accounts, users if wanted, environments, clusters, regions, the organization.

    Each of these sources fails alone; what it brought the last time it succeeded stays.
    ``sample_clusters``: list Schema Registry and ksqlDB clusters of one environment only. Their
    names are then incomplete, but a missing role still shows. Kafka clusters are always listed in
    full, because the policy ``unknown_owner`` needs their environments.
    """

    name = "names"
    patient = True
    stale_after = None

    def __init__(
        self, organization: Organization, *, clock: Clock, sample_clusters: bool = False
    ) -> None:
        self._organization = organization
        self._clock = clock
        self._sample_clusters = sample_clusters
        self.interval = organization.names.refresh_interval

    @property
    def endpoints(self) -> Sequence[str]:
        """See :class:`~exporter.refresh.loop.Collector`."""
        listings = (SERVICE_ACCOUNTS, ENVIRONMENTS, *_CLUSTERS, REGIONS, ORGANIZATIONS)
        users = [USERS.endpoint] if self._organization.names.users else []
        return [each.endpoint for each in listings] + users

    async def collect(self, client: Client, budget: Budget, state: OrganizationState) -> Outcome:
        """See :class:`~exporter.refresh.loop.Collector`."""
        walk = _Walk(client, budget, self._clock, sample_clusters=self._sample_clusters)
        directory = await walk.directory(state.directory, users=self._organization.names.users)
        now = self._clock.wall()

        def change(state: OrganizationState) -> OrganizationState:
            known = replace(state, directory=directory)
            if known.inventory is None:
                return known
            return fold_anew(known, self._organization, now=now)

        return Outcome(change, walk.failure())


async def list_names(
    client: Client, budget: Budget, *, clock: Clock, users: bool
) -> tuple[Directory, Failure | None]:
    """Return what can be listed, and why something could not."""
    walk = _Walk(client, budget, clock)
    return await walk.directory(Directory(), users=users), walk.failure()


@dataclass
class _Walk:
    """One walk through all sources."""

    client: Client
    budget: Budget
    clock: Clock
    sample_clusters: bool = False
    """As in :class:`NamesCollector`."""
    failures: dict[str, ApiError] = field(default_factory=dict)
    """By endpoint."""
    unreadable: UnreadableLog = field(default_factory=UnreadableLog)

    async def directory(self, before: Directory, *, users: bool) -> Directory:
        """Return what is known now; of sources that fail, what was known ``before``."""
        complete = {**before.complete}
        accounts = await self._owners("service-account", self._named, SERVICE_ACCOUNTS, complete)
        people: Mapping[str, str] | None = {}
        if users:
            people = await self._owners("user", self._people, USERS, complete)
        else:
            complete.pop("user", None)
        environments = await self._named(ENVIRONMENTS)
        known = before.environments if environments is None else environments
        clusters: dict[str, Cluster] = {}
        for listing in _CLUSTERS:
            clusters |= await self._clusters(listing, known, before)
        regions = await self._named(REGIONS)
        organizations = await self._named(ORGANIZATIONS)
        self.unreadable.summarize()
        found = next(iter(organizations.items()), None) if organizations else None
        return Directory(
            service_accounts=before.service_accounts if accounts is None else accounts,
            users=before.users if people is None else people,
            environments=known,
            clusters=clusters,
            regions=before.regions if regions is None else regions,
            organization_id=found[0] if found else before.organization_id,
            organization_name=found[1] if found else before.organization_name,
            complete=complete,
        )

    async def _owners(
        self,
        kind: str,
        names: Callable[[Listing[T]], Awaitable[Mapping[str, str] | None]],
        listing: Listing[T],
        complete: dict[str, float],
    ) -> Mapping[str, str] | None:
        """Return the owners of a kind, and note in ``complete`` since when all of them are known.

        An empty list is what somebody gets who may not see them (facts §1.10).
        """
        began = self.clock.wall()
        found = await names(listing)
        if found and listing.endpoint not in self.unreadable.endpoints:
            complete[kind] = began
        elif found is not None:
            complete.pop(kind, None)
        return found

    def failure(self) -> Failure | None:
        """Return why anything could not be listed."""
        if not self.failures:
            return None
        first = failure_from(next(iter(self.failures.values())))
        others = list(self.failures)[1:]
        more = f". Nor could be listed: {', '.join(others)}" if others else ""
        return Failure(first.reason, first.message + more, first.request_id)

    async def _named(self, listing: Listing[wire.Named]) -> Mapping[str, str] | None:
        items = await self._items(listing)
        return None if items is None else {each.id: _short(each.display_name) for each in items}

    async def _people(self, listing: Listing[wire.User]) -> Mapping[str, str] | None:
        items = await self._items(listing)
        if items is None:
            return None
        return {each.id: _short(each.full_name or each.email) for each in items}

    async def _clusters(
        self, listing: Listing[wire.Cluster], environments: Collection[str], before: Directory
    ) -> Mapping[str, Cluster]:
        """Return the clusters of all environments.

        An environment that is refused is skipped, because it may have been deleted meanwhile; if
        the first ones all are, it is the role that is missing. What was known ``before`` of
        environments that were not listed stays.
        """
        found: dict[str, Cluster] = {}
        listed: set[str] = set()
        refused: list[ApiError] = []
        try:
            for environment_id in environments:
                try:
                    items = await self._all(listing, {"environment": environment_id})
                except (Forbidden, NotFound) as error:
                    refused.append(error)
                    if not listed and len(refused) >= _ENOUGH_REFUSALS:
                        break
                    continue
                listed.add(environment_id)
                for item in items:
                    name = _short(item.spec.display_name if item.spec else None)
                    found[item.id] = Cluster(name, environment_id)
                if self.sample_clusters and listing is not KAFKA_CLUSTERS:
                    break
            if refused and not listed:
                raise refused[0]
        except Unauthorized:
            raise
        except ApiError as error:
            self.failures[listing.endpoint] = error
        kept = {
            cluster_id: cluster
            for cluster_id, cluster in before.clusters.items()
            if cluster.environment_id in environments and cluster.environment_id not in listed
        }
        return kept | found

    async def _items(self, listing: Listing[T]) -> list[T] | None:
        try:
            return await self._all(listing, {})
        except Unauthorized:
            raise  # nothing else will be answered either
        except ApiError as error:
            self.failures[listing.endpoint] = error
            return None

    async def _all(self, listing: Listing[T], params: Mapping[str, str]) -> list[T]:
        items: list[T] = []
        async for page in self.client.pages(listing, params, self.budget):
            items += page.items
            self.unreadable.add(listing.endpoint, page.unreadable)
            if len(items) > _MAX_ITEMS:
                raise PaginationError(
                    f"the listing has more than {_MAX_ITEMS} items. It is not used",
                    endpoint=listing.endpoint,
                )
            await asyncio.sleep(0)  # scrapes come between long pages
        return items


def _short(name: str | None) -> str:
    """Return ``name``, as far as a label should hold it."""
    return (name or "")[:_LONGEST_NAME]
