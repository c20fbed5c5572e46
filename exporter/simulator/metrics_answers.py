"""The answers to queries of the Metrics API, from the truth about usage."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice, pairwise
from typing import TYPE_CHECKING
from zlib import crc32

import msgspec

from exporter.simulator.metrics_filter import CLUSTER, PRINCIPAL
from exporter.simulator.usage import DELAY, RETENTION, PrincipalLabel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.simulator.metrics_query import MetricsQuery
    from exporter.simulator.organization import SimulatedOrganization
    from exporter.simulator.usage import Workload

_IDLE_VALUES = {"string": '"NaN"', "literal": "NaN", "zero": "0.0"}


@dataclass(frozen=True)
class AnswerOptions:
    """How an answer deviates from the usual one.

    ``late``: seconds in addition to the usual delay of data. ``idle``: the value of additional
    rows for buckets without requests, which is ``string`` or ``literal`` for NaN, or ``zero``;
    empty for no such rows. ``extra_labels``: whether rows have labels that were not asked for.
    ``shrunk``: whether about half of the principals are hidden, always the same ones.
    """

    late: float = 0.0
    idle: str = ""
    extra_labels: bool = False
    shrunk: bool = False


@dataclass(frozen=True)
class Group:
    """The values of the labels that were grouped by, and the workloads of the group."""

    key: tuple[str, ...]
    workloads: list[Workload]


class Answer:
    """The groups and rows that answer ``query`` about ``organization`` at the Unix time ``now``."""

    def __init__(
        self,
        query: MetricsQuery,
        organization: SimulatedOrganization,
        *,
        now: float,
        options: AnswerOptions,
    ) -> None:
        self._query = query
        self._organization = organization
        self._options = options
        first, last = now - RETENTION, now - DELAY - options.late
        self._last = last
        visible = [(max(start, first), min(end, last)) for start, end in query.intervals]
        self._visible = [(start, end) for start, end in visible if start < end]
        self._bounds = [list(_bounds(start, end, query.bucket)) for start, end in self._visible]
        self._timestamps = [
            [_timestamp(_floor(start, query.bucket)) for start in bounds[:-1]]
            for bounds in self._bounds
        ]

    def groups(self, *, after: tuple[str, ...] | None, limit: int) -> list[Group]:
        """Return at most ``limit`` groups that sort after ``after``."""
        found = sorted(self._all_groups(after), key=lambda group: group.key)
        later = (group for group in found if after is None or group.key > after)
        return list(islice(filter(self._has_rows, later), limit))

    def rows(self, group: Group) -> Iterator[str]:
        """Return the rows of ``group`` as JSON, by time."""
        members = self._members(group)
        idle = _IDLE_VALUES.get(self._options.idle)
        factor = self._query.metric.factor
        values: dict[str, int] = {}
        """Two intervals may share a bucket."""
        for bounds, timestamps in zip(self._bounds, self._timestamps, strict=True):
            for timestamp, number in zip(timestamps, self._counts(group, bounds), strict=True):
                values[timestamp] = values.get(timestamp, 0) + number
        for timestamp, number in values.items():
            if number:
                value = "1.0" if factor is None else str(number * factor)
            elif idle is not None:
                value = idle
            else:
                continue
            yield f'{{"timestamp":"{timestamp}","value":{value}{members}}}'

    def _counts(self, group: Group, bounds: list[float]) -> list[int]:
        """Return the requests between each two of ``bounds``."""
        counts = [0] * (len(bounds) - 1)
        for workload in group.workloads:
            last = self._last - workload.lateness
            made = workload.made_before([min(bound, last) for bound in bounds])
            for index, (before, after) in enumerate(pairwise(made)):
                counts[index] += (after - before) * workload.requests
        return counts

    def _all_groups(self, after: tuple[str, ...] | None) -> list[Group]:
        """Return all groups, perhaps without some that do not sort after ``after``."""
        usage = self._organization.usage
        groups: dict[tuple[str, ...], list[Workload]] = defaultdict(list)
        by_cluster = after is not None and self._query.group_by[0] == CLUSTER
        for cluster in self._query.clusters:
            if by_cluster and after is not None and cluster < after[0]:
                continue
            told = usage.label(cluster) is PrincipalLabel.TOLD
            for principal, workloads in usage.of(cluster):
                if self._options.shrunk and crc32(f"{principal} {cluster}".encode()) % 2:
                    continue
                labels = {CLUSTER: cluster, PRINCIPAL: principal if told else ""}
                if self._query.filter.matches(labels):
                    groups[tuple(labels[field] for field in self._query.group_by)] += workloads
        return [Group(key, workloads) for key, workloads in groups.items()]

    def _has_rows(self, group: Group) -> bool:
        return any(
            self._options.idle or workload.times(start, min(end, self._last - workload.lateness))
            for start, end in self._visible
            for workload in group.workloads
        )

    def _members(self, group: Group) -> str:
        """Return the labels of a group as members of a JSON object, each after a comma."""
        labels: dict[str, str | None] = dict(zip(self._query.group_by, group.key, strict=True))
        if labels.get(PRINCIPAL) == "":
            form = self._organization.usage.label(labels.get(CLUSTER) or "")
            if form is PrincipalLabel.NULL:
                labels[PRINCIPAL] = None
            elif form is not PrincipalLabel.EMPTY:
                del labels[PRINCIPAL]
        elif name := self._name(labels.get(PRINCIPAL) or ""):
            labels["metric.principal_name"] = name
        if self._options.extra_labels:
            labels |= {"metric.future": "<b>new</b>", "resource.kafka.zone": None}
        return "".join(
            f",{msgspec.json.encode(label).decode()}:{msgspec.json.encode(value).decode()}"
            for label, value in labels.items()
        )

    def _name(self, principal: str) -> str:
        account = self._organization.service_accounts.get(principal)
        if account is not None:
            return account.display_name
        user = self._organization.users.get(principal)
        return (user.full_name or user.email) if user is not None else ""


def _bounds(start: float, end: float, bucket: float) -> Iterator[float]:
    """Return ``start``, the starts of the later buckets before ``end``, and ``end``."""
    yield start
    if bucket < math.inf:
        time = _floor(start, bucket) + bucket
        while time < end:
            yield time
            time += bucket
    yield end


def _floor(time: float, bucket: float) -> float:
    """Return the start of the bucket; buckets are aligned to midnight UTC."""
    return time if bucket == math.inf else math.floor(time / bucket) * bucket


def _timestamp(time: float) -> str:
    return datetime.fromtimestamp(math.floor(time), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
