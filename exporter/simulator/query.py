"""What a request for a page asks: filters, sizes, cursors (facts §1.1, §1.2)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlencode

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.simulator.listing import Endpoint

Filters: TypeAlias = "Mapping[str, tuple[str, ...]]"
"""The values that were given for each parameter, none of them empty; several match any."""


class End(Enum):
    """How the last page says that it is the last (facts §1.2)."""

    MISSING = "missing"
    NULL = "null"
    EMPTY_STRING = "empty string"
    EMPTY_PAGE = "empty page"
    """Every page with items has a ``next``; an empty page without one follows."""


@dataclass(frozen=True)
class Rules:
    """How the simulated API behaves where the real one is unknown or varied."""

    end: End = End.MISSING
    total_size: bool = False
    """Whether every listing tells its size; those seen to tell it always do (facts §1.2)."""
    default_page_size: int = 10
    max_page_size: int = 100
    """More is a 400, except where an endpoint documents another maximum (facts §2). What the real
    API does is not known (facts §9)."""
    path_prefix: str = ""
    """What stands before ``/iam/v2/…``, as in ``/api``."""
    bad_key_is_forbidden: bool = False
    """An unknown key or wrong secret is a 403 about an invalid API key instead of a 401."""
    unknown_environment_is_not_found: bool = False
    """The clusters of an environment that does not exist are a 404 instead of a 403; both are
    seen (facts §2), and only the 403 is documented."""


class InvalidQuery(ValueError):
    """A parameter that cannot be served; the text says why."""

    def __init__(self, parameter: str, detail: str) -> None:
        super().__init__(detail)
        self.parameter = parameter


@dataclass(frozen=True)
class Query:
    """A request for a page. ``after``: the name behind which it begins, None for the first page."""

    filters: Filters
    page_size: int
    after: str | None


def parse_query(
    parameters: Iterable[tuple[str, str]], rules: Rules, endpoint: Endpoint[object]
) -> Query:
    """Return what ``parameters`` ask for; empty filters and tokens count as not given (facts §1.1).

    Raises :class:`InvalidQuery` for a parameter that is not documented for ``endpoint``, given
    twice, malformed, or missing though it is required; how the real API takes those is not known,
    strictness here shows a client's mistakes.
    """
    given: dict[str, list[str]] = {}
    for name, value in parameters:
        if name not in endpoint.filters and name not in {"page_size", "page_token"}:
            raise InvalidQuery(name, f"{endpoint.plural} can't be filtered by {name}")
        if name in given and name not in endpoint.repeatable:
            raise InvalidQuery(name, f"{name} was given more than once")
        given.setdefault(name, []).append(value)
    (size,) = given.pop("page_size", [None])
    (token,) = given.pop("page_token", [""])
    filters = {
        name: values
        for name in endpoint.filters
        if (values := tuple(value for value in given.get(name, ()) if value))
    }
    _check(filters, endpoint)
    return Query(
        filters=filters,
        page_size=_page_size(size, rules, endpoint),
        after=read_token(token) if token else None,
    )


def _check(filters: Filters, endpoint: Endpoint[object]) -> None:
    if endpoint.required and endpoint.required not in filters:
        raise InvalidQuery(endpoint.required, f"{endpoint.required} is required")
    for name, choices in endpoint.choices.items():
        for value in filters.get(name, ()):
            if value.upper() not in choices:
                raise InvalidQuery(name, f"{name} has to be one of {', '.join(choices)}")


def _page_size(text: str | None, rules: Rules, endpoint: Endpoint[object]) -> int:
    if text is None:
        return rules.default_page_size
    most = endpoint.max_page_size or rules.max_page_size
    page_size = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0  # noqa: PLR2004 # beyond any page
    if not 1 <= page_size <= most:
        raise InvalidQuery("page_size", f"page_size has to be a number from 1 to {most}")
    return page_size


def token_after(name: str) -> str:
    """Return the cursor of the page behind the record of that name."""
    return base64.urlsafe_b64encode(msgspec.json.encode({"id": name})).decode()


def read_token(token: str) -> str:
    """Return the name in a cursor. Raises :class:`InvalidQuery`."""
    try:
        padded = token + "=" * (-len(token) % 4)
        return msgspec.json.decode(base64.b64decode(padded, b"-_", validate=True), type=_Cursor).id
    except (binascii.Error, ValueError):
        raise InvalidQuery("page_token", "page_token is not one that was given out") from None


class _Cursor(msgspec.Struct):
    id: str


def link(address: str, query: Query, token: str | None) -> str:
    """Return the absolute URL of a page: the token, and the query that leads through the walk."""
    parameters = {} if token is None else {"page_token": token}
    everything = {**parameters, **query.filters, "page_size": query.page_size}
    return f"{address}?{urlencode(everything, doseq=True)}"
