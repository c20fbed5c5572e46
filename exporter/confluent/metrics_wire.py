"""The answers of the Metrics API as structs: docs/confluent-cloud-api.md#metrics-api."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated

import msgspec

from exporter.confluent.repair import Repair

if TYPE_CHECKING:
    from collections.abc import Sequence

PRINCIPAL = "metric.principal_id"
CLUSTER = "resource.kafka.id"
_MAX_ROWS = 100_000
"""Rows of one page: twice as many as all groups in every hour of a query."""
_MAX_DESCRIPTORS = 10_000
_Id = Annotated[str, msgspec.Meta(max_length=255)]


class _Label(msgspec.Struct, gc=False):
    key: str = ""


class _Descriptor(msgspec.Struct, gc=False):
    name: str = ""
    labels: list[_Label] = []


class _Descriptors(msgspec.Struct, gc=False):
    data: Annotated[list[_Descriptor], msgspec.Meta(max_length=_MAX_DESCRIPTORS)]


class Row(msgspec.Struct, gc=False, rename={"cluster": CLUSTER, "principal": PRINCIPAL}):
    """A bucket of a group."""

    timestamp: str | None = None
    value: object = ""
    """Without one, the row counts as requests."""
    cluster: _Id | None = None
    principal: _Id | None = None


class _Pagination(msgspec.Struct, gc=False):
    next_page_token: str | None = None


class _Meta(msgspec.Struct, gc=False):
    pagination: _Pagination | None = None


class Rows(msgspec.Struct, gc=False):
    """A page of an answer."""

    data: Annotated[list[Row], msgspec.Meta(max_length=_MAX_ROWS)]
    meta: _Meta | None = None


_DESCRIPTORS_DECODER = msgspec.json.Decoder(_Descriptors)
_ROWS_DECODER = msgspec.json.Decoder(Rows)


def decode_descriptors(body: bytes) -> Sequence[_Descriptor]:
    """Return the metrics. Raises ``ValueError`` or ``RecursionError``."""
    return _DESCRIPTORS_DECODER.decode(body).data


def decode_rows(body: bytes) -> Rows:
    """Return a page of an answer. Raises ``ValueError`` or ``RecursionError``."""
    try:
        return _ROWS_DECODER.decode(body)
    except (ValueError, RecursionError) as error:
        first = error
    try:
        return _ROWS_DECODER.decode(Repair()(body))  # such as a NaN in place of a number
    except (ValueError, RecursionError):
        raise first from None


def has_requests(value: object) -> bool:
    """Return whether ``value`` stands for requests; NaN does not.

    Any other text and a negative number do, so that they make no owner idle.
    """
    return value not in (None, "NaN", 0)


@lru_cache(maxsize=256)  # thousands of rows have the same time
def unix_seconds(timestamp: str) -> float:
    """Return the Unix time. Raises ``ValueError`` or ``OverflowError``."""
    start = datetime.fromisoformat(timestamp)
    return (start if start.tzinfo else start.replace(tzinfo=UTC)).timestamp()
