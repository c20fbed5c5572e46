"""The query string of ``/keys``: filters, order and page."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode

from exporter.escaping import one_line
from exporter.inventory import POLICIES
from exporter.report import SORT_FIELDS, Selection, Sorting, literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PATTERNS = ("organization", "owner", "team", "resource", "environment", "api_key")
"""Parameters with patterns."""
FILTERS = (*PATTERNS, "policy")
MAX_VALUES = 20
"""Values of one parameter."""
MAX_LENGTH = 1024
"""Characters of a value."""
_MAX_TOTAL = 4096
"""Characters of all values. Their regular expressions stay in the cache of :mod:`re`, which holds
512 and would otherwise grow to hundreds of megabytes."""
_MAX_PARAMETERS = 200
_MAX_PAGE = 100_000
_SHOWN = 100  # characters of a value in an error


class QueryError(ValueError):
    """The query string is not valid. The message names the cause and what is expected."""


@dataclass(frozen=True)
class KeysQuery:
    """A valid query."""

    filters: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """The values by parameter, one of :data:`FILTERS`; without empty values."""
    sorting: Sorting | None = None
    page: int = 1

    def values(self, name: str) -> tuple[str, ...]:
        """Return the values of the filter ``name``."""
        return self.filters.get(name, ())

    @property
    def selection(self) -> Selection:
        """The filters that apply to each key alone."""
        return Selection(
            owners=self.values("owner"),
            teams=self.values("team"),
            resources=self.values("resource"),
            environments=self.values("environment"),
            api_keys=self.values("api_key"),
        )

    def with_values(self, name: str, values: Sequence[str]) -> KeysQuery:
        """Return the query with ``values`` for the filter ``name``."""
        return replace(self, filters={**self.filters, name: tuple(values)})

    def encoded(self, *, sorting: Sorting | None = None, page: int = 1) -> str:
        """Return a query string with the same filters. Starts with ``?``; empty without any."""
        pairs = [(name, value) for name in FILTERS for value in self.values(name)]
        if sorting is not None:
            pairs.append(("sort", sort_value(sorting)))
        if page > 1:
            pairs.append(("page", str(page)))
        return f"?{_encode(pairs)}" if pairs else ""


def sort_value(sorting: Sorting) -> str:
    """Return the value of the parameter ``sort``."""
    return f"{'-' if sorting.descending else ''}{sorting.field}"


def query_for(values: Mapping[str, str]) -> str:
    """Return the query string that selects the keys with exactly these ids, names or policies.

    ``values``: by parameter, one of :data:`FILTERS`.
    """
    return "?" + _encode(
        (name, value if name == "policy" else literal(value)) for name, value in values.items()
    )


def _encode(pairs: Iterable[tuple[str, str]]) -> str:
    return urlencode(list(pairs), quote_via=quote, safe="*", errors="replace")


def parse_query(raw: bytes, *, paged: bool) -> KeysQuery:
    """Return the query in ``raw``, the part of a URL after ``?``.

    ``paged``: whether ``page`` is allowed. Raises :class:`QueryError`.
    """
    values: dict[str, list[str]] = {}
    for name, value in _pairs(raw):
        values.setdefault(name, []).append(value)
    allowed = (*FILTERS, "sort", *(["page"] if paged else []))
    for name in values:
        if name not in allowed:
            raise QueryError(
                f"unknown parameter {_quoted(name)}. Expected one of {', '.join(allowed)}"
            )
    filters = {name: tuple(filter(None, values.get(name, ()))) for name in FILTERS}
    for name, found in filters.items():
        if len(found) > MAX_VALUES:
            raise QueryError(f"{name}: {len(found)} values. Expected at most {MAX_VALUES}")
        if any(len(value) > MAX_LENGTH for value in found):
            raise QueryError(
                f"{name}: a value is too long. Expected at most {MAX_LENGTH} characters"
            )
    if sum(len(value) for found in filters.values() for value in found) > _MAX_TOTAL:
        raise QueryError(f"the filters are too long. Expected at most {_MAX_TOTAL} characters")
    for policy in filters["policy"]:
        if policy not in POLICIES:
            raise QueryError(
                f"policy: {_quoted(policy)} is not a policy. Expected one of {', '.join(POLICIES)}"
            )
    return KeysQuery(
        {name: found for name, found in filters.items() if found},
        _sorting(_single("sort", values)),
        _page(_single("page", values)),
    )


def _pairs(raw: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_PARAMETERS,
        )
    except UnicodeError:
        raise QueryError("the query string is not valid. Expected percent-encoded UTF-8") from None
    except ValueError:
        raise QueryError(f"too many parameters. Expected at most {_MAX_PARAMETERS}") from None


def _single(name: str, values: Mapping[str, list[str]]) -> str:
    found = [*filter(None, values.get(name, ()))]
    if len(found) > 1:
        raise QueryError(f"{name}: {len(found)} values. Expected one")
    return found[0] if found else ""


def _sorting(value: str) -> Sorting | None:
    if not value:
        return None
    name = value.removeprefix("-")
    if name not in SORT_FIELDS:
        expected = ", ".join(chain.from_iterable((each, f"-{each}") for each in SORT_FIELDS))
        raise QueryError(f"sort: {_quoted(value)} is not a field. Expected one of {expected}")
    return Sorting(name, descending=value != name)


def _page(value: str) -> int:
    if not value:
        return 1
    if not (value.isascii() and value.isdigit() and len(value) <= len(str(_MAX_PAGE))):
        raise QueryError(f"page: {_quoted(value)} is not a page number. Expected 1 or more")
    return max(1, int(value))


def _quoted(value: str) -> str:
    return repr(one_line(value, _SHOWN))
