"""The filters in the queries of the Metrics API (``docs/confluent-cloud-api.md#metrics-api``)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CLUSTER = "resource.kafka.id"
PRINCIPAL = "metric.principal_id"
FIELDS = (CLUSTER, PRINCIPAL)
"""The labels that can be filtered and grouped by."""
_MAX_DEPTH = 10
_MAX_FILTERS = 2000

Labels: TypeAlias = "Mapping[str, str]"


class InvalidBody(ValueError):
    """The body of a query is invalid; the text says why."""


@dataclass(frozen=True)
class Filter:
    """Which labels match. ``clusters``: the only ones that can; None for no such restriction."""

    matches: Callable[[Labels], bool]
    clusters: frozenset[str] | None = None
    equal: tuple[str, str] | None = None
    """The field and the value of a comparison for equality."""


def parse_filter(raw: object) -> Filter:
    """Return the filter of a decoded JSON value. Raises :class:`InvalidBody`."""
    return _parse(raw, _MAX_DEPTH)


def _parse(raw: object, depth: int) -> Filter:
    if not isinstance(raw, dict):
        raise InvalidBody("A filter is not an object.")
    if depth == 0:
        raise InvalidBody(f"Filters are nested more than {_MAX_DEPTH} times.")
    operator, members = raw.get("op"), raw.keys() - {"op"}
    if operator in {"AND", "OR"} and members == {"filters"}:
        filters = _parse_all(raw["filters"], depth - 1)
        return _all_of(filters) if operator == "AND" else _any_of(filters)
    if operator == "NOT" and members == {"filter"}:
        inner = _parse(raw["filter"], depth - 1)
        return Filter(lambda labels: not inner.matches(labels))
    if operator in {"EQ", "GT", "GTE"} and members == {"field", "value"}:
        return _comparison(operator, raw["field"], raw["value"])
    raise InvalidBody(
        "A filter is none of {field, op: EQ|GT|GTE, value}, {op: AND|OR, filters} and"
        " {op: NOT, filter}."
    )


def _parse_all(raw: object, depth: int) -> list[Filter]:
    if not isinstance(raw, list) or not 1 <= len(raw) <= _MAX_FILTERS:
        raise InvalidBody(f"filters is not a list of 1 to {_MAX_FILTERS} filters.")
    return [_parse(each, depth) for each in raw]


def _comparison(operator: object, field: object, value: object) -> Filter:
    if not isinstance(field, str) or field not in FIELDS:
        raise InvalidBody(f"A filter's field is not one of {', '.join(FIELDS)}.")
    if not isinstance(value, str):
        raise InvalidBody(f"The value for {field} is not a string.")
    if operator == "EQ":
        clusters = frozenset({value}) if field == CLUSTER else None
        return Filter(lambda labels: labels[field] == value, clusters, (field, value))
    if operator == "GT":
        return Filter(lambda labels: labels[field] > value)
    return Filter(lambda labels: labels[field] >= value)


def _all_of(filters: list[Filter]) -> Filter:
    restrictions = [each.clusters for each in filters if each.clusters is not None]
    return Filter(
        lambda labels: all(each.matches(labels) for each in filters),
        reduce(frozenset.intersection, restrictions) if restrictions else None,
    )


def _any_of(filters: list[Filter]) -> Filter:
    values: dict[str, set[str]] = defaultdict(set)
    """A query for many clusters has many comparisons for equality, which these sets speed up."""
    others = [each for each in filters if each.equal is None]
    for each in filters:
        if each.equal is not None:
            values[each.equal[0]].add(each.equal[1])
    restrictions = [each.clusters for each in filters if each.clusters is not None]
    return Filter(
        lambda labels: (
            any(labels[field] in wanted for field, wanted in values.items())
            or any(each.matches(labels) for each in others)
        ),
        frozenset().union(*restrictions) if len(restrictions) == len(filters) else None,
    )
