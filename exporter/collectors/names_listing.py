"""Lists names: those of owners, resources, environments and the organization."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from exporter.collectors.unreadable import UnreadableLog
from exporter.confluent.endpoints import (
    ENVIRONMENTS,
    KAFKA_CLUSTERS,
    KSQLDB_CLUSTERS,
    ORGANIZATIONS,
    REGIONS,
    SCHEMA_REGISTRIES,
    SERVICE_ACCOUNTS,
    USERS,
)
from exporter.confluent.listing import pages
from exporter.errors import ApiError, Forbidden, NotFound, PaginationError
from exporter.inventory import MAX_TEXT, Cluster, Directory
from exporter.refresh import Failure, failure_from

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping

    from exporter.clock import Clock
    from exporter.confluent import wire
    from exporter.confluent.endpoints import Listing
    from exporter.confluent.host import Host
    from exporter.confluent.request import Budget

T = TypeVar("T")
CLUSTERS = (KAFKA_CLUSTERS, SCHEMA_REGISTRIES, KSQLDB_CLUSTERS)
_MAX_REFUSALS = 2
"""Refused environments until the role is assumed to be missing for all of them."""
_MAX_ITEMS = 100_000


async def list_names(
    host: Host,
    budget: Budget,
    *,
    clock: Clock,
    users: bool,
    page_size: int,
    before: Directory | None = None,
    sample_clusters: bool = False,
) -> tuple[Directory, Failure | None]:
    """Return the names that can be listed, and why the others could not.

    If a source fails, its names are those of ``before``. ``sample_clusters``: see
    :class:`~exporter.collectors.SampledNamesCollector`.
    """
    walk = _Walk(host, budget, clock, page_size=page_size, sample_clusters=sample_clusters)
    return await walk.directory(before or Directory(), users=users), walk.failure()


@dataclass
class _Walk:
    """One walk through all sources."""

    host: Host
    budget: Budget
    clock: Clock
    page_size: int
    sample_clusters: bool
    failures: dict[str, ApiError] = field(default_factory=dict)
    """By endpoint."""
    unreadable: UnreadableLog = field(default_factory=UnreadableLog)

    async def directory(self, before: Directory, *, users: bool) -> Directory:
        """Return the listed names; those of ``before`` for sources that fail."""
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
        for listing in CLUSTERS:
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
        """Return the owners of a kind, and record in ``complete`` when a full listing began.

        Without the role to see them, the API returns an empty list instead of an error
        (docs/confluent-cloud-api.md#who-sees-which-keys).
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
        more = f". Could not be listed either: {', '.join(others)}" if others else ""
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

        An environment that is refused is skipped, because it may have been deleted meanwhile. If
        the first ones are all refused, the role is missing. Clusters of environments that were not
        listed are taken from ``before``.
        """
        found: dict[str, Cluster] = {}
        listed: set[str] = set()
        refused: list[ApiError] = []
        try:
            for environment_id in environments:
                try:
                    items = await self._all(listing, {"environment": environment_id})
                except (Forbidden, NotFound) as error:
                    if not listing.may_fail_alone(error):
                        raise
                    refused.append(error)
                    if not listed and len(refused) >= _MAX_REFUSALS:
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
        except ApiError as error:
            if not listing.may_fail_alone(error):
                raise
            self.failures[listing.endpoint] = error
        previous = {
            cluster_id: cluster
            for cluster_id, cluster in before.clusters.items()
            if cluster.environment_id in environments and cluster.environment_id not in listed
        }
        return previous | found

    async def _items(self, listing: Listing[T]) -> list[T] | None:
        try:
            return await self._all(listing, {})
        except ApiError as error:
            if not listing.may_fail_alone(error):
                raise
            self.failures[listing.endpoint] = error
            return None

    async def _all(self, listing: Listing[T], params: Mapping[str, str]) -> list[T]:
        items: list[T] = []
        async for page in pages(self.host, listing, params, self.budget, page_size=self.page_size):
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
    """Return ``name``, cut to the length of a label."""
    return (name or "")[:MAX_TEXT]
