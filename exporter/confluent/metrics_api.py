"""The Metrics API: which principals made requests to which Kafka clusters.

What is known about it: docs/confluent-cloud-api.md#metrics-api.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated

import msgspec

from exporter.confluent.repair import Repair
from exporter.confluent.request import Request
from exporter.errors import InvalidResponse, NotFound, PaginationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from exporter.confluent.connection import Answer
    from exporter.confluent.host import Host
    from exporter.confluent.request import Budget

DESCRIPTORS = "/v2/metrics/cloud/descriptors/metrics"
QUERY = "/v2/metrics/cloud/query"
METRIC = "io.confluent.kafka.server/request_count"
_PRINCIPAL = "metric.principal_id"
_CLUSTER = "resource.kafka.id"
_PRINCIPAL_ID = re.compile("[a-z]+-")
"""Begins the id of an owner, such as `sa-1`. Another name could be that of any owner."""
MAX_GROUPS = 1000
"""Groups of a cluster and a principal in one answer, as documented."""
_HOURS = 48
"""Hours that one query covers, so that a full page of 7 MB stays below `max_response_bytes`."""
_MAX_ROWS = 100_000
"""Rows of one page: twice as many as all groups in every hour of a query."""
_MAX_PAGES = 1000
_MAX_DESCRIPTORS = 10_000
_NO_ROLE = (
    "the role does not allow to read metrics. Grant MetricsViewer to the service account of the API"
    " key, or to the identity pool, or disable `usage`"
)
_CAUSES = {403: _NO_ROLE}
_Id = Annotated[str, msgspec.Meta(max_length=255)]
BUCKET = 3600.0
"""Seconds of a bucket."""


class _Label(msgspec.Struct, gc=False):
    key: str = ""


class _Descriptor(msgspec.Struct, gc=False):
    name: str = ""
    labels: list[_Label] = []


class _Descriptors(msgspec.Struct, gc=False):
    data: Annotated[list[_Descriptor], msgspec.Meta(max_length=_MAX_DESCRIPTORS)]


class _Row(msgspec.Struct, gc=False, rename={"cluster": _CLUSTER, "principal": _PRINCIPAL}):
    timestamp: str | None = None
    value: object = None
    cluster: _Id | None = None
    principal: _Id | None = None


class _Pagination(msgspec.Struct, gc=False):
    next_page_token: str | None = None


class _Meta(msgspec.Struct, gc=False):
    pagination: _Pagination | None = None


class _Rows(msgspec.Struct, gc=False):
    data: Annotated[list[_Row], msgspec.Meta(max_length=_MAX_ROWS)]
    meta: _Meta | None = None


_DESCRIPTORS_DECODER = msgspec.json.Decoder(_Descriptors)
_ROWS_DECODER = msgspec.json.Decoder(_Rows)


@dataclass(frozen=True)
class Bucket:
    """An hour in which a principal made requests to a cluster."""

    cluster: str
    principal: str
    start: float
    """Unix seconds."""


async def check_descriptors(host: Host, budget: Budget) -> None:
    """Check that the API counts requests by principal.

    Raises :class:`~exporter.errors.ApiError`.
    """
    request = Request(
        DESCRIPTORS, query={"page_size": "1000", "resource_type": "kafka"}, causes=_CAUSES
    )
    answer = await host.send(request, budget)
    with host.counting_failures(request, budget, answer):
        try:
            found = _DESCRIPTORS_DECODER.decode(answer.body).data
        except (ValueError, RecursionError) as error:
            raise _invalid(error, DESCRIPTORS) from None
        labels = {label.key for each in found if each.name == METRIC for label in each.labels}
        if not labels & {_PRINCIPAL, _PRINCIPAL.removeprefix("metric.")}:
            raise NotFound(
                f"the Metrics API does not count {METRIC} by principal. Disable `usage`",
                endpoint=DESCRIPTORS,
            )


async def buckets(
    host: Host, clusters: Sequence[str], start: float, end: float, budget: Budget
) -> tuple[Sequence[Bucket], bool]:
    """Return the hours with requests to ``clusters`` between two Unix times.

    The second value tells whether the answer is complete: it may lack principals if it has as many
    groups as an answer can have. The first leaves out clusters that name a principal in another way
    than owners, since it could be any of them. Raises :class:`~exporter.errors.ApiError`.
    """
    found: dict[tuple[str, str, float], Bucket] = {}
    unclear: set[str] = set()
    while start < end:
        until = min(start + _HOURS * BUCKET, end)
        # Of all rows, since each group takes a place in the answer, even without a principal.
        groups = set()
        async for row in _rows(host, _query(clusters, start, until), budget):
            groups.add((row.cluster, row.principal))
            bucket = _bucket(row)
            if bucket is None or bucket.cluster not in clusters or bucket.start + BUCKET <= start:
                continue
            if not _PRINCIPAL_ID.match(bucket.principal):
                unclear.add(bucket.cluster)
            else:
                found[bucket.cluster, bucket.principal, bucket.start] = bucket
        if len(groups) >= MAX_GROUPS:
            return (), False
        start = until
    return [each for each in found.values() if each.cluster not in unclear], True


def _query(clusters: Sequence[str], start: float, end: float) -> Mapping[str, object]:
    filters = [{"field": _CLUSTER, "op": "EQ", "value": cluster} for cluster in clusters]
    return {
        "aggregations": [{"metric": METRIC}],
        "group_by": [_CLUSTER, _PRINCIPAL],
        "granularity": "PT1H",
        "filter": filters[0] if len(filters) == 1 else {"op": "OR", "filters": filters},
        # Not `now`, which would make the tokens of further pages invalid.
        "intervals": [f"{_iso8601(start)}/{_iso8601(end)}"],
        "limit": MAX_GROUPS,
    }


async def _rows(host: Host, query: Mapping[str, object], budget: Budget) -> AsyncIterator[_Row]:
    """Yield the rows of all pages; the answer is complete only if this ends without an error."""
    body = msgspec.json.encode(query)
    seen: set[str] = set()
    token: str | None = None
    for _ in range(_MAX_PAGES):
        request = Request(
            QUERY,
            method="POST",
            query={"page_token": token} if token else {},
            body=body,
            content_type="application/json",
            causes=_CAUSES,
        )
        answer = await host.send(request, budget)
        with host.counting_failures(request, budget, answer):
            page = _decode(answer)
            pagination = page.meta.pagination if page.meta else None
            token = (pagination.next_page_token if pagination else None) or None
            if token in seen:
                raise PaginationError(
                    "next_page_token leads to a page that has been read already. The answer is not"
                    " used",
                    endpoint=QUERY,
                )
        for row in page.data:
            yield row
        if token is None:
            return
        seen.add(token)
    raise PaginationError(f"the answer has more than {_MAX_PAGES} pages", endpoint=QUERY)


def _decode(answer: Answer) -> _Rows:
    try:
        return _ROWS_DECODER.decode(answer.body)
    except (ValueError, RecursionError) as error:
        first = error
    try:
        return _ROWS_DECODER.decode(Repair()(answer.body))  # such as a NaN in place of a number
    except (ValueError, RecursionError):
        raise _invalid(first, QUERY) from None


def _invalid(error: Exception, endpoint: str) -> InvalidResponse:
    return InvalidResponse(
        f"the body is not an answer of the Metrics API ({error}). Check `usage.url`",
        endpoint=endpoint,
    )


def _bucket(row: _Row) -> Bucket | None:
    """Return the bucket of a row; None for one without a request or a principal.

    NaN stands for no request. Any other text counts as requests, so that it makes no owner idle.
    Raises :class:`~exporter.errors.InvalidResponse` if the time is unreadable.
    """
    principal = (row.principal or "").removeprefix("User:")
    if not row.cluster or not principal:
        return None
    value = row.value
    if value is None or value == "NaN" or (isinstance(value, int | float) and value <= 0):
        return None
    try:
        start = _unix_seconds(row.timestamp or "")
    except ValueError as error:
        raise _invalid(error, QUERY) from None
    return Bucket(row.cluster, principal, start)


@lru_cache(maxsize=256)  # thousands of rows have the same time
def _unix_seconds(timestamp: str) -> float:
    start = datetime.fromisoformat(timestamp)
    return (start if start.tzinfo else start.replace(tzinfo=UTC)).timestamp()


def _iso8601(seconds: float) -> str:
    return f"{datetime.fromtimestamp(math.floor(seconds), UTC):%Y-%m-%dT%H:%M:%SZ}"
