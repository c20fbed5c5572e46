"""The collector of the keys themselves."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, TypeVar

import structlog

from exporter.confluent.client import API_KEYS
from exporter.errors import PaginationError
from exporter.inventory import Churn, Key, by_kinds, churn
from exporter.refresh.folding import fold_anew, fold_later
from exporter.refresh.known_pages import KnownPages
from exporter.refresh.loop import Outcome
from exporter.refresh.state import ChurnTotals
from exporter.refresh.unreadable import UnreadableLog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterator, Mapping

    from exporter.clock import Clock
    from exporter.config import Filters, Organization
    from exporter.confluent.client import Budget, Client, Listing
    from exporter.confluent.wire import UnreadableItem
    from exporter.refresh.state import OrganizationState

T = TypeVar("T")
log = structlog.get_logger(__name__)
MAX_KEYS = 1_000_000
"""More than the largest organization can have (facts §3); the memory has an end."""
_NOTHING = Churn((), (), ())
_CHURN_LOGGED = 1000  # per listing; a lost role would fill the disk with the names of the lost


class ApiKeysCollector:
    """Lists the keys of ``organization`` and folds them into its inventory."""

    name = "api_keys"
    patient = False
    endpoints = (API_KEYS.endpoint,)

    def __init__(self, organization: Organization, *, clock: Clock) -> None:
        self._organization = organization
        self._clock = clock
        self.interval = organization.refresh_interval
        self.stale_after = organization.stale_after
        self._known = KnownPages()

    async def collect(self, client: Client, budget: Budget, state: OrganizationState) -> Outcome:
        """See :class:`~exporter.refresh.loop.Collector`."""
        began = self._clock.monotonic()
        with client.first_in_line():
            listing = await list_keys(client, self._organization.filters, budget, self._known)
        before = {**state.keys, **state.hidden}
        hidden = {each: before[each] for each in listing.unreadable_ids & before.keys()}
        first = state.inventory is None
        moved = _NOTHING
        same = listing.keys == state.keys and not state.hidden
        if not first and not same:
            since = self._clock.wall() - (self._clock.monotonic() - state.listed_at)
            moved = await asyncio.to_thread(churn, before, {**listing.keys, **hidden}, since=since)
        now = self._clock.wall()

        def change(state: OrganizationState) -> OrganizationState:
            known = replace(
                state,
                keys=state.keys if same else listing.keys,
                unreadable=listing.unreadable,
                hidden=hidden,
                vanished=None if first else len(moved.deleted),
                previous_total=len(before),
                churn=ChurnTotals(
                    created=by_kinds(moved.created) + Counter(state.churn.created),
                    deleted=by_kinds(moved.deleted) + Counter(state.churn.deleted),
                ),
                listed_at=began,
            )
            fold = fold_later if same else fold_anew
            return fold(known, self._organization, now=now)

        return Outcome(change, served=lambda: _log_churn(moved))


@dataclass(frozen=True)
class KeyListing:
    """A complete listing of the keys that the credentials may see and the filters ask for."""

    keys: Mapping[str, Key]
    """By id."""
    unreadable: int
    """How many items could not be read."""
    unreadable_ids: frozenset[str]
    """Of those of them whose id could be."""


async def list_keys(
    client: Client, filters: Filters, budget: Budget, known: KnownPages
) -> KeyListing:
    """Walk the listing to its end, once for each combination of filters.

    Of a key that comes twice, moved to another page meanwhile or matched by several filters, the
    later reading counts. Raises :class:`~exporter.errors.ApiError`.
    """
    keys: dict[str, Key] = {}
    unreadable = 0
    unreadable_ids: set[str] = set()
    unreadable_log = UnreadableLog()
    async for items, bad in list_items(client, filters, budget, known.listing()):
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
    unreadable_log.summarize()
    return KeyListing(keys, unreadable, frozenset(unreadable_ids - keys.keys()))


async def list_items(
    client: Client, filters: Filters, budget: Budget, listing: Listing[T]
) -> AsyncIterator[tuple[Collection[T], Collection[UnreadableItem]]]:
    """Yield the items of each page of ``listing``, readable and not, for each pair of filters.

    Complete only if the iteration ends without an error. Raises :class:`~exporter.errors.ApiError`.
    """
    differing: list[tuple[int, int]] = []
    for params in _queries(filters):
        listed, total_size = 0, None
        async for page in client.pages(listing, params, budget):
            yield page.items, page.unreadable
            listed += len(page.items) + len(page.unreadable)
            total_size = page.total_size if page.total_size is not None else total_size
        if total_size is not None and total_size != listed:
            differing.append((listed, total_size))
    if differing:
        log.warning(
            "the listing and its total_size differ; keys may have changed during the walk",
            listed=sum(listed for listed, _ in differing),
            total_size=sum(total_size for _, total_size in differing),
        )


def _queries(filters: Filters) -> Iterator[dict[str, str]]:
    """Yield the query of each walk: the API takes one owner and one resource at a time."""
    for owner, resource in product(filters.owners or ("",), filters.resources or ("",)):
        query = {"spec.owner": owner, "spec.resource": resource}
        yield {name: value for name, value in query.items() if value}


def _log_churn(moved: Churn) -> None:
    for event, keys in (
        ("api key created", moved.created),
        ("api key revealed", moved.revealed),
        ("api key deleted", moved.deleted),
    ):
        for key in keys[:_CHURN_LOGGED]:
            log.info(
                event,
                api_key_id=key.id,
                owner_id=key.owner.id,
                resource_id=",".join(resource.id for resource in key.resources),
            )
        if len(keys) > _CHURN_LOGGED:
            log.warning("more of the same", about=event, keys=len(keys) - _CHURN_LOGGED)
