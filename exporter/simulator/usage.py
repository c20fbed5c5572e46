"""The truth about usage: who made requests to which Kafka cluster, and when.

Requests are computed rather than stored, so that any time can be asked about.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

DELAY = 180.0
"""Seconds until a request is in the answers of the Metrics API."""
RETENTION = 7 * 86400.0
"""Seconds for which the Metrics API remembers."""
HOUR = 3600.0


class PrincipalLabel(Enum):
    """How the answers about a cluster name principals.

    That some clusters do not name them is an assumption, and so are the three ways not to do it.
    """

    TOLD = "told"
    MISSING = "missing"
    NULL = "null"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Workload:
    """Requests of ``principal`` to ``cluster`` at regular times.

    The first is at the Unix time ``first``, the others follow in steps of ``every`` seconds, all of
    them before ``until``. ``requests``: how many are made at each time. ``lateness``: seconds by
    which their data are later than usual, while newer data of others are visible already.
    """

    principal: str
    cluster: str
    first: float
    every: float = 60.0
    until: float = math.inf
    requests: int = 1
    lateness: float = 0.0

    def times(self, start: float, end: float) -> int:
        """Return the number of times in [``start``, ``end``)."""
        before, after = self.made_before((start, end))
        return max(0, after - before)

    def latest(self, before: float) -> float | None:
        """Return the latest time before ``before``, if there is one."""
        (number,) = self.made_before((before,))
        return self.first + (number - 1) * self.every if number else None

    def made_before(self, times: Iterable[float]) -> list[int]:
        """Return the number of times before each of ``times``."""
        first, every, until = self.first, self.every, self.until
        return [max(0, math.ceil((min(time, until) - first) / every)) for time in times]


class SimulatedUsage:
    """The workloads of an organization, which may be changed at any time.

    The Metrics API has no data about the clusters in ``silent``, and names principals for the
    clusters in ``labels`` as stated there, for all others by id.
    """

    def __init__(
        self,
        workloads: Iterable[Workload] = (),
        *,
        silent: Iterable[str] = (),
        labels: Mapping[str, PrincipalLabel] | None = None,
    ) -> None:
        self.silent = set(silent)
        self.labels = dict(labels or {})
        self._workloads: dict[str, dict[str, list[Workload]]] = {}
        for workload in workloads:
            self.add(workload)

    def add(self, workload: Workload) -> None:
        """Add a workload to those of its principal and cluster."""
        of_cluster = self._workloads.setdefault(workload.cluster, {})
        of_cluster.setdefault(workload.principal, []).append(workload)

    def stop(self, principal: str, cluster: str, *, at: float) -> None:
        """Let ``principal`` make no request to ``cluster`` from the Unix time ``at`` on."""
        workloads = self._workloads.get(cluster, {}).get(principal, [])
        workloads[:] = [replace(each, until=min(each.until, at)) for each in workloads]

    def label(self, cluster: str) -> PrincipalLabel:
        """Return how answers about ``cluster`` name principals."""
        return self.labels.get(cluster, PrincipalLabel.TOLD)

    def of(self, cluster: str) -> Iterator[tuple[str, list[Workload]]]:
        """Return the principals that the Metrics API has data about, with their workloads."""
        if cluster not in self.silent:
            yield from self._workloads.get(cluster, {}).items()

    def pairs(self) -> list[tuple[str, str]]:
        """Return all principals with the clusters that they make requests to at some time."""
        return [
            (principal, cluster)
            for cluster, principals in self._workloads.items()
            for principal in principals
        ]

    def last_request(self, principal: str, cluster: str, *, before: float) -> float | None:
        """Return the Unix time of the latest request before ``before``, visible or not."""
        workloads = self._workloads.get(cluster, {}).get(principal, [])
        return _latest((each, before) for each in workloads)

    def tells(self, cluster: str, *, at: float, since: float = -math.inf) -> bool:
        """Return whether answers about ``cluster`` name any principal; as :meth:`last_active`."""
        return any(
            self.last_active(principal, cluster, at=at, since=since) is not None
            for principal in self._workloads.get(cluster, {})
        )

    def last_active(
        self,
        principal: str,
        cluster: str,
        *,
        at: float,
        since: float = -math.inf,
        bucket: float = HOUR,
    ) -> float | None:
        """Return the end of the newest bucket with a visible request, in Unix seconds.

        It is what a client can know at ``at`` that has asked about everything since ``since``. The
        end of an unfinished bucket is later than ``at``. None: there was no request, or the
        Metrics API does not tell about this cluster.
        """
        if cluster in self.silent or self.label(cluster) is not PrincipalLabel.TOLD:
            return None
        workloads = self._workloads.get(cluster, {}).get(principal, [])
        latest = _latest((each, at - DELAY - each.lateness) for each in workloads)
        if latest is None or latest < since:
            return None
        return (math.floor(latest / bucket) + 1) * bucket


def _latest(workloads: Iterable[tuple[Workload, float]]) -> float | None:
    """Return the latest time of all workloads, each before its own limit."""
    times = (workload.latest(before) for workload, before in workloads)
    return max((time for time in times if time is not None), default=None)
