"""The bodies of queries to the Metrics API (``docs/confluent-cloud-api.md#metrics-api``)."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from exporter.simulator.metrics_filter import FIELDS, InvalidBody, parse_filter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.simulator.metrics_filter import Filter

_HOUR = 3600.0
_DAY = 24 * _HOUR
GRANULARITIES: dict[str, tuple[float, float]] = {
    "PT1M": (60.0, 6 * _HOUR),
    "PT5M": (300.0, _DAY),
    "PT15M": (900.0, 4 * _DAY),
    "PT30M": (1800.0, 7 * _DAY),
    "PT1H": (_HOUR, math.inf),
    "PT4H": (4 * _HOUR, math.inf),
    "PT6H": (6 * _HOUR, math.inf),
    "PT12H": (12 * _HOUR, math.inf),
    "P1D": (_DAY, math.inf),
    "ALL": (math.inf, math.inf),
}
"""The seconds of a bucket, and of the longest interval."""
_SERVER = "io.confluent.kafka.server/"


@dataclass(frozen=True)
class Metric:
    """A metric. ``factor``: its value for each request; None for a gauge that is 1."""

    name: str
    description: str
    unit: str
    factor: float | None
    labels: tuple[str, ...] = ("principal_id",)


METRICS = {
    metric.name: metric
    for metric in (
        Metric(f"{_SERVER}active_connection_count", "Active authenticated connections", "1", None),
        Metric(f"{_SERVER}received_bytes", "Bytes received by topic", "By", 100.0, ("topic",)),
        Metric(f"{_SERVER}request_bytes", "Bytes of requests", "By", 100.0),
        Metric(f"{_SERVER}request_count", "Requests received", "1", 1.0),
        Metric(f"{_SERVER}response_bytes", "Bytes of responses", "By", 1000.0),
        Metric(f"{_SERVER}successful_authentication_count", "Successful authentications", "1", 1.0),
    )
}
"""The metrics that have a descriptor."""


@dataclass(frozen=True)
class MetricsQuery:
    """A valid query. ``intervals``: Unix times, sorted and disjoint. ``digest``: of its body."""

    metric: Metric
    granularity: str
    intervals: tuple[tuple[float, float], ...]
    filter: Filter
    clusters: frozenset[str]
    group_by: tuple[str, ...]
    limit: int
    digest: str

    @property
    def bucket(self) -> float:
        """The seconds of a bucket; infinite for all in one."""
        return GRANULARITIES[self.granularity][0]

    @property
    def can_page(self) -> bool:
        """Whether answers have a next page."""
        return bool(self.group_by) and self.granularity != "ALL"


class _Aggregation(msgspec.Struct, forbid_unknown_fields=True):
    metric: str
    agg: str | None = None


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    aggregations: list[_Aggregation]
    granularity: str
    intervals: list[str]
    filter: Any = None
    group_by: list[str] = []
    limit: int | None = None
    format: str = "FLAT"


def parse_metrics_query(body: bytes) -> MetricsQuery:
    """Return the query in ``body``.

    Raises :class:`InvalidBody`, also for what the API documents and the simulator does not serve:
    ``order_by``, durations and ``now`` in intervals, and the format GROUPED.
    """
    try:
        decoded = msgspec.json.decode(body)
        given = msgspec.convert(decoded, _Body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidBody(f"The body is not a query: {error}") from None
    metric = _metric(given.aggregations)
    if given.granularity not in GRANULARITIES:
        raise InvalidBody(f"granularity is not one of {', '.join(GRANULARITIES)}.")
    if given.format != "FLAT":
        raise InvalidBody("format is not FLAT, the only one that this simulator serves.")
    if given.filter is None:
        raise InvalidBody("A filter is required.")
    selection = parse_filter(given.filter)
    if selection.clusters is None:
        raise InvalidBody("The filter does not restrict the query to resources.")
    return MetricsQuery(
        metric=metric,
        granularity=given.granularity,
        intervals=_intervals(given.intervals, given.granularity),
        filter=selection,
        clusters=selection.clusters,
        group_by=_group_by(given.group_by, metric),
        limit=_limit(given.limit, given.granularity),
        digest=hashlib.blake2b(
            msgspec.json.encode(decoded, order="sorted"), digest_size=16
        ).hexdigest(),
    )


def _metric(aggregations: Sequence[_Aggregation]) -> Metric:
    if len(aggregations) != 1:
        raise InvalidBody("aggregations does not have exactly one entry.")
    (aggregation,) = aggregations
    metric = METRICS.get(aggregation.metric)
    if metric is None:
        raise InvalidBody(f"There is no metric {aggregation.metric[:100]!r}.")
    right = "MAX" if metric.factor is None else "SUM"
    if aggregation.agg not in {None, right}:
        raise InvalidBody(f"The aggregation for {metric.name} is {right}.")
    return metric


def _group_by(labels: Sequence[str], metric: Metric) -> tuple[str, ...]:
    known = [
        field
        for field in FIELDS
        if field.startswith("resource.") or field.removeprefix("metric.") in metric.labels
    ]
    if len(set(labels)) < len(labels) or not set(labels) <= set(known):
        raise InvalidBody(f"group_by is not a list of distinct labels out of {', '.join(known)}.")
    return tuple(labels)


def _limit(limit: int | None, granularity: str) -> int:
    if limit is None:
        return 1000 if granularity == "ALL" else 100
    if not 1 <= limit <= 1000:  # noqa: PLR2004 # the documented range
        raise InvalidBody("limit is not between 1 and 1000.")
    return limit


def _intervals(texts: Sequence[str], granularity: str) -> tuple[tuple[float, float], ...]:
    """Return the union of intervals."""
    if not texts:
        raise InvalidBody("intervals is empty.")
    merged: list[tuple[float, float]] = []
    for start, end in sorted(_interval(text, GRANULARITIES[granularity][1]) for text in texts):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return tuple(merged)


def _interval(text: str, longest: float) -> tuple[float, float]:
    first, _, second = text.partition("/")
    start, end = _time(first, text), _time(second, text)
    if end <= start:
        raise InvalidBody(f"The interval {text[:100]!r} does not end after its start.")
    if end - start > longest:
        raise InvalidBody(f"The interval {text[:100]!r} is too long for this granularity.")
    return start, end


def _time(text: str, interval: str) -> float:
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is not None:
            return time.timestamp()
    except (ValueError, OverflowError):
        pass
    raise InvalidBody(
        f"The interval {interval[:100]!r} is not two ISO 8601 times with an offset, as start/end."
    )
