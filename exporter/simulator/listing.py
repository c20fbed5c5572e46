"""Pages of the keys: filters, sizes, cursors, and the ways a listing can end (facts §1.1, §1.2)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import msgspec

from exporter.simulator.records import PLACELESS_KINDS, SimulatedKey
from exporter.simulator.spelling import item_of, spelled_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from exporter.simulator.organization import SimulatedOrganization

FILTERS = ("spec.owner", "spec.resource")
_PARAMETERS = frozenset({*FILTERS, "page_size", "page_token"})
_SLACK = 10_000  # encoded items of deleted keys that are kept before anybody tidies up


class End(Enum):
    """How the last page says that it is the last (facts §1.2)."""

    MISSING = "missing"
    NULL = "null"
    EMPTY_STRING = "empty string"
    EMPTY_PAGE = "empty page"
    """Every page with keys has a ``next``; an empty page without one follows."""


@dataclass(frozen=True)
class Rules:
    """How the simulated API behaves where the real one is unknown or varied."""

    end: End = End.MISSING
    total_size: bool = False
    default_page_size: int = 10
    max_page_size: int = 100
    """More is a 400. What the real API does is not known (facts §9)."""
    path_prefix: str = ""
    """What stands before ``/iam/v2/…``, as in ``/api``."""
    bad_key_is_forbidden: bool = False
    """An unknown key or wrong secret is a 403 about an invalid API key instead of a 401."""


class InvalidQuery(ValueError):
    """A parameter that cannot be served; the text says why."""

    def __init__(self, parameter: str, detail: str) -> None:
        super().__init__(detail)
        self.parameter = parameter


@dataclass(frozen=True)
class Query:
    """A request for a page. ``after``: the id behind which it begins, None for the first page."""

    filters: Mapping[str, str]
    page_size: int
    after: str | None


def parse_query(parameters: Iterable[tuple[str, str]], rules: Rules) -> Query:
    """Return what ``parameters`` ask for; empty filters and tokens count as not given (facts §1.1).

    Raises :class:`InvalidQuery` for a parameter that is not documented, given twice or malformed;
    how the real API takes those is not known, strictness here shows a client's mistakes.
    """
    given: dict[str, str] = {}
    for name, value in parameters:
        if name not in _PARAMETERS:
            raise InvalidQuery(name, f"API keys can't be filtered by {name}")
        if name in given:
            raise InvalidQuery(name, f"{name} was given more than once")
        given[name] = value
    page_size = rules.default_page_size
    if "page_size" in given:
        text = given["page_size"]
        page_size = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0  # noqa: PLR2004 # beyond any page
        if not 1 <= page_size <= rules.max_page_size:
            raise InvalidQuery(
                "page_size", f"page_size has to be a number from 1 to {rules.max_page_size}"
            )
    token = given.get("page_token", "")
    return Query(
        filters={name: given[name] for name in FILTERS if given.get(name)},
        page_size=page_size,
        after=read_token(token) if token else None,
    )


def token_after(key_id: str) -> str:
    """Return the cursor of the page behind ``key_id``."""
    return base64.urlsafe_b64encode(msgspec.json.encode({"id": key_id})).decode()


def read_token(token: str) -> str:
    """Return the id in a cursor. Raises :class:`InvalidQuery`."""
    try:
        padded = token + "=" * (-len(token) % 4)
        return msgspec.json.decode(base64.b64decode(padded, b"-_", validate=True), type=_Cursor).id
    except (binascii.Error, ValueError):
        raise InvalidQuery("page_token", "page_token is not one that was given out") from None


class _Cursor(msgspec.Struct):
    id: str


class Listing:
    """The pages of one organization's keys. Keeps each key's JSON for the next time."""

    def __init__(self, organization: SimulatedOrganization) -> None:
        self._organization = organization
        self._encoder = msgspec.json.Encoder()
        self._items: dict[str, tuple[SimulatedKey, bytes]] = {}

    def page(
        self, query: Query, *, visible: Callable[[SimulatedKey], bool] | None
    ) -> tuple[list[SimulatedKey], bool]:
        """Return the keys of a page, and whether there are more behind it.

        A keyset cursor, no snapshot: what is created behind the cursor appears, what is created
        before it is missed until the next walk. ``visible`` None shows every key.
        """
        keys: Iterable[SimulatedKey] = self._organization.after(query.after or "")
        matches = _matcher(query.filters, visible)
        if matches is not None:
            keys = filter(matches, keys)
        found = list(islice(keys, query.page_size + 1))
        return found[: query.page_size], len(found) > query.page_size

    def total(self, query: Query, *, visible: Callable[[SimulatedKey], bool] | None) -> int:
        """Return the number of keys on all pages together."""
        matches = _matcher(query.filters, visible)
        if matches is None:
            return len(self._organization)
        return sum(map(matches, self._organization.after("")))

    def encode(self, keys: Iterable[SimulatedKey], metadata: Mapping[str, object]) -> bytes:
        """Return the envelope with ``keys`` in it."""
        items = b",".join([self._item(key) for key in keys])
        return b'{"api_version":"iam/v2","kind":"ApiKeyList","metadata":%b,"data":[%b]}' % (
            self._encoder.encode(metadata),
            items,
        )

    def _item(self, key: SimulatedKey) -> bytes:
        known = self._items.get(key.id)
        if known is not None and known[0] is key:
            return known[1]
        item = self._encoder.encode(item_of(key, organization_id=self._organization.id))
        self._items[key.id] = (key, item)
        if len(self._items) > len(self._organization) + _SLACK:
            self._items = {
                key_id: kept for key_id, kept in self._items.items() if key_id in self._organization
            }
        return item


def link(address: str, query: Query, token: str | None) -> str:
    """Return the absolute URL of a page: the token, and the query that leads through the walk."""
    parameters = {} if token is None else {"page_token": token}
    return f"{address}?{urlencode({**parameters, **query.filters, 'page_size': query.page_size})}"


def _matcher(
    filters: Mapping[str, str], visible: Callable[[SimulatedKey], bool] | None
) -> Callable[[SimulatedKey], bool] | None:
    if not filters:
        return visible
    owner, resource = (filters.get(name) for name in FILTERS)

    def matches(key: SimulatedKey) -> bool:
        return (
            (owner is None or (key.owner is not None and key.owner.id == owner))
            and (resource is None or _opens(key, resource))
            and (visible is None or visible(key))
        )

    return matches


def _opens(key: SimulatedKey, wanted: str) -> bool:
    """Whether ``wanted`` is the id of one of the key's resources, as it is or as it is spelled."""
    if wanted.lower() in PLACELESS_KINDS:
        return any(resource.kind == wanted.lower() for resource in key.resources)
    return any(
        wanted in {resource.id, spelled_id(resource, key.spelling)} for resource in key.resources
    )
