"""The one way in which every listing is paged."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from exporter.simulator.organization import SimulatedOrganization
    from exporter.simulator.query import Filters, Query
    from exporter.simulator.register import Register
    from exporter.simulator.spelling import Item

T = TypeVar("T")
Seen: TypeAlias = "Callable[[T], bool] | None"
"""Which records are shown; None for all of them."""

_SLACK = 10_000  # encoded items of records that are gone, kept before anybody tidies up


@dataclass(frozen=True)
class Endpoint(Generic[T]):
    """A listing: where it is, what it shows, and by what it can be filtered.

    ``kind`` is that of an item; the envelope has it with ``List`` behind it.
    """

    path: str
    kind: str
    plural: str
    """What its items are called in an error."""
    register: Callable[[SimulatedOrganization], Register[T]]
    item: Callable[[T, str], Item]
    """The JSON of a record, in the organization with that id."""
    matcher: Callable[[Filters], Seen[T]] = lambda _: None
    filters: tuple[str, ...] = ()
    repeatable: tuple[str, ...] = ()
    """Those filters that may be given several times."""
    required: str = ""
    """The filter without which there is a 400."""
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The values in capitals that a filter takes, in any case; anything else is a 400."""
    max_page_size: int | None = None
    """If it is not that of the rules."""
    tells_total_size: bool = False
    """Whether this one was seen with ``total_size`` (facts §1.2)."""

    @property
    def api_version(self) -> str:
        """The group and version of its items, the first two segments of the path."""
        return "/".join(self.path.split("/")[1:3])


class Listing(Generic[T]):
    """The pages of one listing of one organization. Keeps each item's JSON for the next time."""

    def __init__(self, organization: SimulatedOrganization, endpoint: Endpoint[T]) -> None:
        self.endpoint = endpoint
        self._organization = organization
        self._encoder = msgspec.json.Encoder()
        self._items: dict[str, tuple[T, bytes]] = {}
        self._head = b'{"api_version":"%b","kind":"%bList","metadata":' % (
            endpoint.api_version.encode(),
            endpoint.kind.encode(),
        )

    def page(self, query: Query, *, seen: Seen[T]) -> tuple[list[T], bool]:
        """Return the records of a page, and whether there are more behind it.

        A keyset cursor, no snapshot: what is created behind the cursor appears, what is created
        before it is missed until the next walk.
        """
        records: Iterable[T] = self._register().after(query.after or "")
        matches = self._matcher(query, seen)
        if matches is not None:
            records = filter(matches, records)
        found = list(islice(records, query.page_size + 1))
        return found[: query.page_size], len(found) > query.page_size

    def total(self, query: Query, *, seen: Seen[T]) -> int:
        """Return the number of records on all pages together."""
        matches = self._matcher(query, seen)
        if matches is None:
            return len(self._register())
        return sum(map(matches, self._register().after("")))

    def encode(self, records: Iterable[T], metadata: Mapping[str, object]) -> bytes:
        """Return the envelope with ``records`` in it."""
        register = self._register()
        items = b",".join([self._item(record, register) for record in records])
        return b'%b%b,"data":[%b]}' % (self._head, self._encoder.encode(metadata), items)

    def name_of(self, record: T) -> str:
        """Return the name by which ``record`` is ordered; a cursor has it."""
        return self._register().name(record)

    def _register(self) -> Register[T]:
        return self.endpoint.register(self._organization)

    def _matcher(self, query: Query, seen: Seen[T]) -> Seen[T]:
        matches = self.endpoint.matcher(query.filters)
        if matches is None or seen is None:
            return seen if matches is None else matches
        return lambda record: matches(record) and seen(record)

    def _item(self, record: T, register: Register[T]) -> bytes:
        name = register.name(record)
        known = self._items.get(name)
        if known is not None and known[0] is record:
            return known[1]
        item = self._encoder.encode(self.endpoint.item(record, self._organization.id))
        self._items[name] = (record, item)
        if len(self._items) > len(register) + _SLACK:
            self._items = {name: kept for name, kept in self._items.items() if name in register}
        return item
