"""The complete listing of the API keys that the credentials see and the filters match."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, TypeVar

import structlog

from exporter.collectors.unreadable import UnreadableLog
from exporter.confluent.endpoints import API_KEYS
from exporter.confluent.listing import pages
from exporter.errors import PaginationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterator, Mapping

    from exporter.collectors.api_keys.page_cache import PageCache
    from exporter.config import Filters, Organization
    from exporter.confluent.endpoints import Listing
    from exporter.confluent.host import Host
    from exporter.confluent.request import Budget
    from exporter.confluent.wire import UnreadableItem
    from exporter.inventory import Key

T = TypeVar("T")
log = structlog.get_logger(__name__)
MAX_KEYS = 1_000_000
"""Bounds the memory; the largest organization can have far fewer keys
(docs/confluent-cloud-api.md#quotas)."""


@dataclass(frozen=True)
class KeyListing:
    """A complete listing."""

    keys: Mapping[str, Key]
    """By id."""
    unreadable: int
    """Number of items that could not be read."""
    unreadable_ids: frozenset[str]
    """The ids of those items, where they could be read."""


async def list_keys(
    host: Host,
    organization: Organization,
    budget: Budget,
    page_cache: PageCache,
    *,
    previous_keys: Mapping[str, Key],
) -> KeyListing:
    """Return the listing, walked to its end once for each combination of filters.

    A key can be listed twice: because it moved to another page meanwhile, or because several
    filters match it. The later item counts. ``previous_keys``: those of the previous listing, by
    id. Raises :class:`~exporter.errors.ApiError`.
    """
    keys: dict[str, Key] = {}
    unreadable = 0
    unreadable_ids: set[str] = set()
    unreadable_log = UnreadableLog()
    async for items, bad in list_items(
        host, organization, budget, page_cache.listing(previous_keys)
    ):
        keys |= {key.id: key for key in items}
        if len(keys) > MAX_KEYS:
            raise PaginationError(
                f"the listing has more than {MAX_KEYS} keys. It is not used; list less with"
                " `filters`",
                endpoint=API_KEYS.endpoint,
            )
        unreadable_log.add(API_KEYS.endpoint, bad)
        unreadable += len(bad)
        unreadable_ids.update(item.id for item in bad)
    page_cache.keep()
    unreadable_log.summarize()
    return KeyListing(keys, unreadable, frozenset(unreadable_ids - keys.keys()))


async def list_items(
    host: Host, organization: Organization, budget: Budget, listing: Listing[T]
) -> AsyncIterator[tuple[Collection[T], Collection[UnreadableItem]]]:
    """Yield the readable and unreadable items of each page, for each combination of filters.

    Complete only if the iteration ends without an error. Raises :class:`~exporter.errors.ApiError`.
    """
    differences: list[tuple[int, int]] = []
    for params in _queries(organization.filters):
        listed, total_size = 0, None
        async for page in pages(host, listing, params, budget, page_size=organization.page_size):
            yield page.items, page.unreadable
            listed += len(page.items) + len(page.unreadable)
            total_size = page.total_size if page.total_size is not None else total_size
        if total_size is not None and total_size != listed:
            differences.append((listed, total_size))
    if differences:
        log.warning(
            "the listing and its total_size differ; keys may have changed during the walk",
            listed=sum(listed for listed, _ in differences),
            total_size=sum(total_size for _, total_size in differences),
        )


def _queries(filters: Filters) -> Iterator[dict[str, str]]:
    """Yield the query of each walk: the API takes one owner and one resource at a time."""
    for owner, resource in product(filters.owners or ("",), filters.resources or ("",)):
        query = {"spec.owner": owner, "spec.resource": resource}
        yield {name: value for name, value in query.items() if value}
