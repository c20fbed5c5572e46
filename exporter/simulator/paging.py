"""How every listing is requested, filtered and paged (``docs/confluent-cloud-api.md#paging``)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar
from urllib.parse import urlencode

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from exporter.simulator.key_items import Item
    from exporter.simulator.organization import SimulatedOrganization
    from exporter.simulator.records import Records

T = TypeVar("T")
Predicate: TypeAlias = "Callable[[T], bool] | None"
"""Which records are shown; None for all of them."""
Filters: TypeAlias = "Mapping[str, str]"
"""Filters by parameter, without empty ones."""

_DEFAULT_PAGE_SIZE = 10
_CACHE_SLACK = 10_000  # cached items of removed records that are tolerated


class End(Enum):
    """How the last page marks the end of the list."""

    MISSING = "missing"
    NULL = "null"
    EMPTY_STRING = "empty string"
    EMPTY_PAGE = "empty page"
    """Every page with items has a ``next``, and an empty page without one follows."""


@dataclass(frozen=True)
class Endpoint(Generic[T]):
    """A listing. ``kind`` is that of an item; the envelope appends ``List``."""

    path: str
    kind: str
    records: Callable[[SimulatedOrganization], Records[T]]
    item: Callable[[T, str], Item]
    """Renders a record of the organization with that id."""
    filters: tuple[str, ...] = ()
    """The supported filters. Others are a 400, although the API documents more."""
    predicate: Callable[[Filters], Predicate[T]] = lambda _: None
    """Raises :class:`InvalidQuery` for a missing or invalid filter."""
    max_page_size: int = 100
    """More is a 400. The behavior of the real API is not known."""
    has_total_size: bool = False
    """Whether ``total_size`` was seen in this listing."""

    @property
    def api_version(self) -> str:
        """The group and version of its items: the first two segments of the path."""
        return "/".join(self.path.split("/")[1:3])


class InvalidQuery(ValueError):
    """A parameter is invalid; the text says why."""

    def __init__(self, parameter: str, detail: str) -> None:
        super().__init__(detail)
        self.parameter = parameter


@dataclass(frozen=True)
class Query(Generic[T]):
    """A request for a page. ``after``: the sort key before its first record; empty at the start."""

    filters: Filters
    predicate: Predicate[T]
    page_size: int
    after: str


def parse_query(parameters: Iterable[tuple[str, str]], endpoint: Endpoint[T]) -> Query[T]:
    """Return the query of ``parameters``. Empty filters and tokens count as missing.

    Raises :class:`InvalidQuery` for an unsupported, repeated, malformed or missing parameter. The
    real API may be more lenient; being strict reveals mistakes of the client.
    """
    given: dict[str, str] = {}
    for name, value in parameters:
        if name not in endpoint.filters and name not in {"page_size", "page_token"}:
            raise InvalidQuery(name, f"{name} is not supported by {endpoint.path}")
        if name in given:
            raise InvalidQuery(name, f"{name} was given more than once")
        given[name] = value
    page_size = _page_size(given.pop("page_size", str(_DEFAULT_PAGE_SIZE)), endpoint)
    token = given.pop("page_token", "")
    filters = {name: given[name] for name in endpoint.filters if given.get(name)}
    after = _decode_token(token) if token else ""
    return Query(filters, endpoint.predicate(filters), page_size, after)


def _page_size(text: str, endpoint: Endpoint[T]) -> int:
    page_size = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0  # noqa: PLR2004 # longer than any valid size
    if not 1 <= page_size <= endpoint.max_page_size:
        raise InvalidQuery("page_size", f"page_size must be 1 to {endpoint.max_page_size}")
    return page_size


class _Cursor(msgspec.Struct):
    id: str


def page_token(after: str) -> str:
    """Return the token of the page after the record with that sort key."""
    return base64.urlsafe_b64encode(msgspec.json.encode(_Cursor(after))).decode()


def _decode_token(token: str) -> str:
    try:
        padded = token + "=" * (-len(token) % 4)
        return msgspec.json.decode(base64.b64decode(padded, b"-_", validate=True), type=_Cursor).id
    except (binascii.Error, ValueError):
        raise InvalidQuery("page_token", "page_token is not valid") from None


def page_url(url: str, query: Query[T], token: str | None) -> str:
    """Return the URL of the page for ``token``, or of the first page, with filters and size."""
    parameters = {} if token is None else {"page_token": token}
    return f"{url}?{urlencode({**parameters, **query.filters, 'page_size': query.page_size})}"


class Listing(Generic[T]):
    """The pages of one listing of one organization. Caches the JSON of each item."""

    def __init__(self, organization: SimulatedOrganization, endpoint: Endpoint[T]) -> None:
        self.endpoint = endpoint
        self._organization = organization
        self._encoder = msgspec.json.Encoder()
        self._items: dict[str, tuple[T, bytes]] = {}
        self._head = b'{"api_version":"%b","kind":"%bList","metadata":' % (
            endpoint.api_version.encode(),
            endpoint.kind.encode(),
        )

    def page(self, query: Query[T], *, visible: Predicate[T]) -> tuple[list[T], bool]:
        """Return the records of a page, and whether there are more.

        The cursor is a sort key, so there is no snapshot: a record that is created before the
        cursor is missed until the next walk.
        """
        matching = self._matching(query, visible, after=query.after)
        found = list(islice(matching, query.page_size + 1))
        return found[: query.page_size], len(found) > query.page_size

    def total(self, query: Query[T], *, visible: Predicate[T]) -> int:
        """Return the number of records on all pages together."""
        return sum(1 for _ in self._matching(query, visible, after=""))

    def encode(self, records: Iterable[T], metadata: Mapping[str, object]) -> bytes:
        """Return the envelope of a page."""
        source = self._records()
        items = b",".join([self._item(record, source) for record in records])
        return b'%b%b,"data":[%b]}' % (self._head, self._encoder.encode(metadata), items)

    def sort_key(self, record: T) -> str:
        """Return the sort key of ``record``."""
        return self._records().sort_key(record)

    def _records(self) -> Records[T]:
        return self.endpoint.records(self._organization)

    def _matching(self, query: Query[T], visible: Predicate[T], *, after: str) -> Iterable[T]:
        records: Iterable[T] = self._records().after(after)
        for predicate in (query.predicate, visible):
            if predicate is not None:
                records = filter(predicate, records)
        return records

    def _item(self, record: T, source: Records[T]) -> bytes:
        key = source.sort_key(record)
        cached = self._items.get(key)
        if cached is not None and cached[0] is record:
            return cached[1]
        item = self._encoder.encode(self.endpoint.item(record, self._organization.id))
        self._items[key] = (record, item)
        if len(self._items) > len(source) + _CACHE_SLACK:
            self._items = {key: value for key, value in self._items.items() if key in source}
        return item
