"""The live metrics: counters and gauges that move between refreshes.

They implement the observer protocols of the client and of the refresh loop; neither knows them.
"""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from exporter.errors import REQUEST_FAILURE_REASONS
from exporter.exposition import catalogue
from exporter.exposition.text import Format
from exporter.refresh import REFRESH_FAILURE_REASONS
from exporter.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.metrics import MetricWrapperBase

    from exporter.clock import Clock
    from exporter.confluent.throttle import RateLimit
    from exporter.exposition.catalogue import Metric

_DURATION_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_CODES = ("none", "200", "400", "401", "403", "404", "429", "500", "502", "503", "504")
"""The codes that are counted from 0 on; others, which are rare, from their first occurrence."""
_THROTTLED_REASONS = ("reserve", "retry_after", "backoff")


class Instruments:
    """All live metrics of the process.

    ``process``: whether to add the ``process_*`` metrics and ``python_info``; a file for the
    textfile collector must not have them, since the node exporter has its own.
    """

    def __init__(self, *, clock: Clock, process: bool = True) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # a switch of the library
        self._clock = clock
        self._registry = CollectorRegistry()
        self.refreshes = self._counter(catalogue.REFRESHES)
        self.refresh_failures = self._counter(catalogue.REFRESH_FAILURES)
        self.requests = self._counter(catalogue.REQUESTS)
        self.request_failures = self._counter(catalogue.REQUEST_FAILURES)
        metric = catalogue.REQUEST_DURATION
        self.request_duration = Histogram(
            metric.name,
            metric.help,
            metric.labels,
            buckets=_DURATION_BUCKETS,
            registry=self._registry,
        )
        self.throttled = self._counter(catalogue.THROTTLED)
        self.rate_limits = _RateLimits()
        self._registry.register(self.rate_limits)
        self._config_successful = self._gauge(catalogue.CONFIG_RELOAD_SUCCESSFUL)
        self._config_timestamp = self._gauge(catalogue.CONFIG_RELOAD_TIMESTAMP)
        build = Info(
            catalogue.BUILD_INFO.name.removesuffix("_info"),
            catalogue.BUILD_INFO.help,
            registry=self._registry,
        )
        build.info({"version": __version__, "python_version": platform.python_version()})
        if process:
            ProcessCollector(registry=self._registry)
            PlatformCollector(registry=self._registry)

    def _counter(self, metric: Metric) -> Counter:
        return Counter(metric.name, metric.help, metric.labels, registry=self._registry)

    def _gauge(self, metric: Metric) -> Gauge:
        return Gauge(metric.name, metric.help, metric.labels, registry=self._registry)

    def of(
        self, organization: str, *, collectors: Iterable[str], endpoints: Iterable[str]
    ) -> OrganizationInstruments:
        """Return the instruments of one organization, with every counter at 0."""
        return OrganizationInstruments(
            self, organization, clock=self._clock, collectors=collectors, endpoints=endpoints
        )

    def forget(self, organization: str) -> None:
        """Remove every series of an organization that is configured no more."""
        labelled: tuple[MetricWrapperBase, ...] = (
            self.refreshes,
            self.refresh_failures,
            self.requests,
            self.request_failures,
            self.request_duration,
            self.throttled,
        )
        for metric in labelled:
            metric.remove_by_labels({"organization": organization})
        self.rate_limits.forget(organization)

    def config_loaded(self, *, successful: bool) -> None:
        """Take in that the configuration was loaded, or could not be."""
        self._config_successful.set(successful)
        if successful:
            self._config_timestamp.set(self._clock.wall())

    def render(self, form: Format) -> bytes:
        """Return the live metrics, ending the exposition."""
        if form is Format.OPENMETRICS:
            return openmetrics.generate_latest(self._registry)  # type: ignore[no-untyped-call, no-any-return]
        return generate_latest(self._registry)


class _RateLimits(Collector):
    """The rate limits as the latest responses said: what a response left out is absent."""

    def __init__(self) -> None:
        self.said: dict[tuple[str, str], tuple[RateLimit, float]] = {}
        """By organization and endpoint: what was said, and the Unix time of it."""

    def forget(self, organization: str) -> None:
        self.said = {at: said for at, said in self.said.items() if at[0] != organization}

    def collect(self) -> Iterator[GaugeMetricFamily]:
        values: dict[Metric, dict[tuple[str, str], float | None]] = {
            catalogue.RATE_LIMIT: {at: said.limit for at, (said, _) in self.said.items()},
            catalogue.RATE_LIMIT_REMAINING: {
                at: said.remaining for at, (said, _) in self.said.items()
            },
            catalogue.RATE_LIMIT_RESET: {at: said.reset for at, (said, _) in self.said.items()},
            catalogue.RATE_LIMIT_OBSERVED: {at: wall for at, (_, wall) in self.said.items()},
        }
        for metric, samples in values.items():
            family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
            for at, value in samples.items():
                if value is not None:
                    family.add_metric(at, value)
            if family.samples:
                yield family


class OrganizationInstruments:
    """The observer of one organization's client and refreshes."""

    def __init__(
        self,
        instruments: Instruments,
        organization: str,
        *,
        clock: Clock,
        collectors: Iterable[str],
        endpoints: Iterable[str],
    ) -> None:
        self._all = instruments
        self._organization = organization
        self._clock = clock
        for endpoint in endpoints:
            for code in _CODES:
                instruments.requests.labels(organization, endpoint, code)
            instruments.request_duration.labels(organization, endpoint)
            for reason in REQUEST_FAILURE_REASONS:
                instruments.request_failures.labels(organization, endpoint, reason)
        for collector in collectors:
            instruments.refreshes.labels(organization, collector)
            for reason in REFRESH_FAILURE_REASONS:
                instruments.refresh_failures.labels(organization, collector, reason)
        for reason in _THROTTLED_REASONS:
            instruments.throttled.labels(organization, reason)

    def answered(self, endpoint: str, status: int | None, seconds: float) -> None:
        """One request ended after ``seconds``; ``status`` is None where no response came."""
        code = "none" if status is None else str(status)
        self._all.requests.labels(self._organization, endpoint, code).inc()
        self._all.request_duration.labels(self._organization, endpoint).observe(seconds)

    def failed(self, endpoint: str, reason: str) -> None:
        """That request, or the body it brought, was of no use."""
        self._all.request_failures.labels(self._organization, endpoint, reason).inc()

    def rate_limit_said(self, endpoint: str, said: RateLimit) -> None:
        """A response spoke of the rate limit."""
        self._all.rate_limits.said[self._organization, endpoint] = said, self._clock.wall()

    def throttled(self, reason: str, seconds: float) -> None:
        """The client held back for ``seconds``."""
        self._all.throttled.labels(self._organization, reason).inc(seconds)

    def refreshed(self, collector: str, reason: str | None) -> None:
        """A refresh ended; ``reason`` is None if it succeeded."""
        self._all.refreshes.labels(self._organization, collector).inc()
        if reason is not None:
            self._all.refresh_failures.labels(self._organization, collector, reason).inc()
