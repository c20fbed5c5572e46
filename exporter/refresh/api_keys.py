"""The collector of the keys themselves."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import structlog

from exporter.confluent.client import API_KEYS
from exporter.errors import PaginationError
from exporter.inventory import fold, key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from exporter.clock import Clock
    from exporter.config import Filters, Organization
    from exporter.confluent.client import Budget, Client
    from exporter.confluent.wire import UnreadableItem
    from exporter.inventory import Key
    from exporter.refresh.state import OrganizationState

log = structlog.get_logger(__name__)
MAX_KEYS = 1_000_000
"""More than the largest organization can have (facts §3); the memory has an end."""
_UNREADABLE_LOGGED = 10  # per listing; the metric has their number


class ApiKeysCollector:
    """Lists the keys of ``organization`` and folds them into its inventory."""

    name = "api_keys"

    def __init__(self, organization: Organization, *, clock: Clock) -> None:
        self._organization = organization
        self._clock = clock
        self.interval = organization.refresh_interval

    async def collect(
        self, client: Client, budget: Budget, state: OrganizationState
    ) -> Callable[[OrganizationState], OrganizationState]:
        """See :class:`~exporter.refresh.loop.Collector`."""
        began = self._clock.monotonic()
        listing = await list_keys(client, self._organization.filters, budget)
        inventory = await asyncio.to_thread(
            fold,
            listing.keys,
            max_pairs=self._organization.max_pairs,
            unreadable=listing.unreadable,
            previous=state.inventory,
        )
        return lambda state: replace(state, inventory=inventory, listed_at=began)


@dataclass(frozen=True)
class KeyListing:
    """A complete listing of the keys that the credentials may see and the filters ask for."""

    keys: Collection[Key]
    """With distinct ids."""
    unreadable: int


async def list_keys(client: Client, filters: Filters, budget: Budget) -> KeyListing:
    """Walk the listing to its end, once for each combination of filters.

    Of a key that comes twice, moved to another page meanwhile or matched by several filters, the
    later reading counts. Raises :class:`~exporter.errors.ApiError`.
    """
    keys: dict[str, Key] = {}
    unreadable = 0
    for params in _queries(filters):
        listed, total_size = 0, None
        async for page in client.pages(API_KEYS, params, budget):
            for item in page.items:
                keys[item.id] = key_of(item)
            if len(keys) > MAX_KEYS:
                raise PaginationError(
                    f"the listing has more than {MAX_KEYS} keys. It is not used; list less with"
                    " `filters`",
                    endpoint=API_KEYS.endpoint,
                )
            _log_unreadable(page.unreadable, logged=unreadable)
            unreadable += len(page.unreadable)
            listed += len(page.items) + len(page.unreadable)
            total_size = page.total_size if page.total_size is not None else total_size
        if total_size is not None and total_size != listed:
            log.warning(
                "the listing and its total_size differ; keys may have changed during the walk",
                listed=listed,
                total_size=total_size,
            )
    return KeyListing(keys.values(), unreadable)


def _queries(filters: Filters) -> Iterator[dict[str, str]]:
    """Yield the query of each walk: the API takes one owner and one resource at a time."""
    for owner, resource in product(filters.owners or ("",), filters.resources or ("",)):
        query = {"spec.owner": owner, "spec.resource": resource}
        yield {name: value for name, value in query.items() if value}


def _log_unreadable(items: Collection[UnreadableItem], *, logged: int) -> None:
    for item in list(items)[: max(0, _UNREADABLE_LOGGED - logged)]:
        log.warning("unreadable api key; it is not counted", api_key_id=item.id, error=item.problem)
