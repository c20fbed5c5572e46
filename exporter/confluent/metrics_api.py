"""The Metrics API: which principals made requests to which Kafka clusters.

What is known about it: docs/confluent-cloud-api.md#metrics-api.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from exporter.confluent.metrics_wire import (
    CLUSTER,
    PRINCIPAL,
    decode_descriptors,
    decode_rows,
    has_requests,
    unix_seconds,
)
from exporter.confluent.request import Request
from exporter.errors import InvalidResponse, NotFound, PaginationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from exporter.confluent.host import Host
    from exporter.confluent.metrics_wire import Row, Rows
    from exporter.confluent.request import Budget

DESCRIPTORS = "/v2/metrics/cloud/descriptors/metrics"
QUERY = "/v2/metrics/cloud/query"
METRIC = "io.confluent.kafka.server/request_count"
_PRINCIPAL_ID = re.compile(r"(?:(?:sa|u|pool)-|u\d).+")
"""The id of an owner or an identity pool. Another name could be that of any owner."""
MAX_GROUPS = 1000
"""Groups of a cluster and a principal in one answer, as documented."""
_HOURS = 48
"""Hours that one query covers, so that a full page of 7 MB stays below `max_response_bytes`."""
_MAX_PAGES = 1000
_NO_ROLE = (
    "the role does not allow to read metrics. Grant MetricsViewer to the service account of the API"
    " key, or to the identity pool, or disable `usage`"
)
_CAUSES = {403: _NO_ROLE}
BUCKET = 3600.0
"""Seconds of a bucket."""


@dataclass(frozen=True)
class Bucket:
    """An hour in which a principal made requests to a cluster."""

    cluster: str
    principal: str
    start: float
    """Unix seconds."""


@dataclass(frozen=True)
class Found:
    """What is known about the clusters of a query."""

    buckets: Sequence[Bucket]
    """Of all clusters but the ``unclear`` ones."""
    unclear: Mapping[str, str]
    """Clusters with requests of a principal that could be any owner, and what it is called."""


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
            found = decode_descriptors(answer.body)
        except (ValueError, RecursionError) as error:
            raise _invalid(error, DESCRIPTORS) from None
        labels = {label.key for each in found if each.name == METRIC for label in each.labels}
        if not labels & {PRINCIPAL, PRINCIPAL.removeprefix("metric.")}:
            raise NotFound(
                f"the Metrics API does not count {METRIC} by principal. Disable `usage`",
                endpoint=DESCRIPTORS,
            )


async def buckets(
    host: Host, clusters: Sequence[str], start: float, end: float, budget: Budget
) -> Found | None:
    """Return the hours with requests to ``clusters`` between two Unix times.

    None if the answer has as many groups as an answer can have, because it may lack principals.
    Raises :class:`~exporter.errors.ApiError`.
    """
    found: dict[tuple[str, str, float], Bucket] = {}
    unclear: dict[str, str] = {}
    at = start
    while at < end:
        until = min(at + _HOURS * BUCKET, end)
        # Of all rows, since each group takes a place in the answer, even without a principal.
        groups = set()
        async for row in _rows(host, _query(clusters, at, until), budget):
            groups.add((row.cluster, row.principal))
            if len(groups) >= MAX_GROUPS:
                return None
            if not has_requests(row.value) or (row.cluster and row.cluster not in clusters):
                continue
            time = _start(row, start, end)
            principal = (row.principal or "").removeprefix("User:")
            if not row.cluster:
                unclear.update(dict.fromkeys(clusters, principal))
            elif not _PRINCIPAL_ID.fullmatch(principal):
                unclear[row.cluster] = principal
            else:
                bucket = Bucket(row.cluster, principal, time)
                found[bucket.cluster, bucket.principal, bucket.start] = bucket
        at = until
    return Found([each for each in found.values() if each.cluster not in unclear], unclear)


def _query(clusters: Sequence[str], start: float, end: float) -> Mapping[str, object]:
    filters = [{"field": CLUSTER, "op": "EQ", "value": cluster} for cluster in clusters]
    return {
        "aggregations": [{"metric": METRIC}],
        "group_by": [CLUSTER, PRINCIPAL],
        "granularity": "PT1H",
        "filter": filters[0] if len(filters) == 1 else {"op": "OR", "filters": filters},
        # Not `now`, which would make the tokens of further pages invalid.
        "intervals": [f"{_iso8601(start)}/{_iso8601(end)}"],
        "limit": MAX_GROUPS,
    }


async def _rows(host: Host, query: Mapping[str, object], budget: Budget) -> AsyncIterator[Row]:
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
            page = _page(answer.body)
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


def _page(body: bytes) -> Rows:
    try:
        return decode_rows(body)
    except (ValueError, RecursionError) as error:
        raise _invalid(error, QUERY) from None


def _invalid(error: Exception, endpoint: str) -> InvalidResponse:
    return InvalidResponse(
        f"the body is not an answer of the Metrics API ({error}). Check `usage.url`",
        endpoint=endpoint,
    )


def _start(row: Row, start: float, end: float) -> float:
    """Return the Unix time at which the bucket of ``row`` starts.

    Raises :class:`~exporter.errors.InvalidResponse` if that is unreadable or not between ``start``
    and ``end``: it would be unknown when the requests were made.
    """
    try:
        time = unix_seconds(row.timestamp or "")
        if not start - BUCKET < time < end:
            raise ValueError("a time is outside the period that was asked for")  # noqa: TRY301 # as unreadable
    except (ValueError, OverflowError) as error:
        raise _invalid(error, QUERY) from None
    return time


def _iso8601(seconds: float) -> str:
    return f"{datetime.fromtimestamp(math.floor(seconds), UTC):%Y-%m-%dT%H:%M:%SZ}"
