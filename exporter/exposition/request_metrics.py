"""The metrics of API requests, rendered again only after they have changed."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from itertools import accumulate, chain, starmap
from typing import TYPE_CHECKING

from exporter.errors import REQUEST_FAILURE_REASONS
from exporter.exposition import catalogue, text
from exporter.exposition.document import chunks

if TYPE_CHECKING:
    from collections.abc import Collection

    from exporter.clock import Clock
    from exporter.confluent.throttle import RateLimitStatus
    from exporter.exposition.catalogue import Metric
    from exporter.exposition.document import Chunks

_CODES = (
    *("none", "200", "307", "308"),
    *("400", "401", "403", "404", "408", "429"),
    *("500", "502", "503", "504"),
)
"""The codes that the API documents for read requests, and those of a gateway in front of it. Their
counters exist at 0 for every endpoint. Any other code costs a series per endpoint and organization,
so its counter appears with the first response; the failures are counted from 0 by reason anyway."""
_THROTTLED_REASONS = ("reserve", "retry_after", "backoff")
_BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds, inclusive, as Prometheus' ``le``."""
_LE = (*map(text.number, _BOUNDS), "+Inf")


class _Durations:
    """A histogram of seconds."""

    def __init__(self) -> None:
        self.buckets = [0] * (len(_BOUNDS) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        self.buckets[bisect_left(_BOUNDS, seconds)] += 1
        self.sum += seconds


class RequestMetrics:
    """Observes the requests of one organization.

    Every counter of ``endpoints`` exists at 0 from the beginning.
    """

    def __init__(self, organization: str, *, endpoints: Collection[str], clock: Clock) -> None:
        self.version = 0
        """Incremented with every change."""
        self._escaped = text.escape(organization)
        self._clock = clock
        self._requests: Counter[tuple[str, str]] = Counter()
        self._failures: Counter[tuple[str, str]] = Counter()
        self._durations: dict[str, _Durations] = {}
        self._throttled: dict[str, float] = dict.fromkeys(_THROTTLED_REASONS, 0.0)
        self._limits: dict[str, tuple[RateLimitStatus, float]] = {}
        self._expected: set[str] = set()
        self._rendered: tuple[int, Chunks] = self.version, {}
        self.expect(endpoints)

    def expect(self, endpoints: Collection[str]) -> None:
        """Create the counters of ``endpoints`` that do not exist yet, at 0."""
        new = set(endpoints) - self._expected
        if not new and self.version:
            return  # nothing to render again, which takes a while for many organizations
        self._expected |= new
        for endpoint in (each for each in endpoints if each in new):
            self._requests.update({(endpoint, code): 0 for code in _CODES})
            self._failures.update({(endpoint, reason): 0 for reason in REQUEST_FAILURE_REASONS})
            self._durations.setdefault(endpoint, _Durations())
        self.version += 1

    def request_ended(self, endpoint: str, status: int | None, seconds: float) -> None:
        """Record a request that ended after ``seconds``; ``status`` is None without a response."""
        self._requests[endpoint, "none" if status is None else str(status)] += 1
        self._durations.setdefault(endpoint, _Durations()).observe(seconds)
        self.version += 1

    def failed(self, endpoint: str, reason: str) -> None:
        """Record that this request failed, or that its response was unusable."""
        self._failures[endpoint, reason] += 1
        self.version += 1

    def rate_limit_observed(self, endpoint: str, status: RateLimitStatus) -> None:
        """Record the rate limit in a response; values that it lacks are not exposed."""
        self._limits[endpoint] = status, self._clock.wall()
        self.version += 1

    def throttled(self, reason: str, seconds: float) -> None:
        """Record a wait of ``seconds``."""
        self._throttled[reason] += seconds
        self.version += 1

    def render(self) -> Chunks:
        """Return the current lines; unchanged ones keep their chunk."""
        if self._rendered[0] != self.version:
            self._rendered = self.version, chunks(self._lines(), self._rendered[1])
        return self._rendered[1]

    @property
    def rendered(self) -> Chunks:
        """The lines as of the latest :meth:`render`."""
        return self._rendered[1]

    def _lines(self) -> dict[str, str]:
        durations = self._durations.items()
        throttled = [((reason,), seconds) for reason, seconds in self._throttled.items()]
        lines = {
            catalogue.REQUESTS.name: self._samples(catalogue.REQUESTS, self._requests.items()),
            catalogue.REQUEST_FAILURES.name: self._samples(
                catalogue.REQUEST_FAILURES, self._failures.items()
            ),
            catalogue.REQUEST_DURATION.name: "".join(starmap(self._duration_lines, durations)),
            catalogue.THROTTLED.name: self._samples(catalogue.THROTTLED, throttled),
        }
        limits: dict[Metric, dict[str, float | None]] = {
            catalogue.RATE_LIMIT: {at: said.limit for at, (said, _) in self._limits.items()},
            catalogue.RATE_LIMIT_REMAINING: {
                at: said.remaining for at, (said, _) in self._limits.items()
            },
            catalogue.RATE_LIMIT_RESET: {at: said.reset for at, (said, _) in self._limits.items()},
            catalogue.RATE_LIMIT_OBSERVED: {at: wall for at, (_, wall) in self._limits.items()},
        }
        for metric, values in limits.items():
            lines[metric.name] = self._samples(
                metric, [((at,), value) for at, value in values.items() if value is not None]
            )
        return lines

    def _duration_lines(self, endpoint: str, durations: _Durations) -> str:
        metric = catalogue.REQUEST_DURATION
        cumulative = list(accumulate(durations.buckets))
        buckets = [((endpoint, le), each) for le, each in zip(_LE, cumulative, strict=True)]
        return (
            self._samples(metric, buckets, suffix="_bucket", label="le")
            + self._samples(metric, [((endpoint,), cumulative[-1])], suffix="_count")
            + self._samples(metric, [((endpoint,), durations.sum)], suffix="_sum")
        )

    def _samples(
        self,
        metric: Metric,
        samples: Collection[tuple[tuple[str, ...], float]],
        *,
        suffix: str = "",
        label: str = "",
    ) -> str:
        """Return the lines of ``samples``: label values without the organization, and value."""
        labels = tuple(each for each, _ in samples)
        filled = ((self._escaped, text.number(value)) for _, value in samples)
        template = text.template(metric, labels, suffix=suffix, label=label)
        return template % tuple(chain.from_iterable(filled))
