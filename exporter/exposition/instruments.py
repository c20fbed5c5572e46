"""The metrics that change between refreshes: those of API requests and of the process."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Gauge,
    Info,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from exporter.exposition import catalogue
from exporter.exposition.groups import Groups, group_at
from exporter.exposition.request_metrics import RequestMetrics
from exporter.exposition.text import Format, unit_of
from exporter.exposition.web_instruments import WebInstruments, render_keys_page_info
from exporter.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from prometheus_client import Metric as Family

    from exporter.clock import Clock
    from exporter.exposition.document import Sections

_END = b"# EOF\n"


class Instruments:
    """All metrics that change between refreshes.

    ``process``: whether to add the ``process_*`` metrics and ``python_info``. A file for the
    textfile collector must not have them, because the node exporter has its own.
    ``dropped_log_records``: returns the number of dropped log records since the start.
    ``web_config_file``: whether to expose the metrics of :attr:`web`. ``keys_url``: the URL of the
    page that lists API keys, None if nobody can open it. ``shard``: the ordinal of the shard, and
    the number of shards.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        process: bool = True,
        dropped_log_records: Callable[[], int] = lambda: 0,
        web_config_file: bool = False,
        keys_url: str | None = None,
        shard: tuple[int, int] = (0, 1),
    ) -> None:
        self._clock = clock
        self.web = WebInstruments(clock=clock, exposed=web_config_file)
        """The metrics of the web server."""
        self._keys_url = keys_url
        self._requests: dict[str, RequestMetrics] = {}
        """Sorted by organization."""
        self._groups = Groups()
        self._process = CollectorRegistry()
        self._static = CollectorRegistry()
        """Metrics that seldom change."""
        self._rendered: dict[Format, bytes] = {}
        """The static metrics, rendered since their latest change."""
        successful, timestamp = (
            catalogue.CONFIG_RELOAD_SUCCESSFUL,
            catalogue.CONFIG_RELOAD_TIMESTAMP,
        )
        self._config_successful = Gauge(successful.name, successful.help, registry=self._static)
        self._config_timestamp = Gauge(
            timestamp.name, timestamp.help, unit=unit_of(timestamp.name), registry=self._static
        )
        build = Info(
            catalogue.BUILD_INFO.name.removesuffix("_info"),
            catalogue.BUILD_INFO.help,
            registry=self._static,
        )
        build.info({"version": __version__, "python_version": platform.python_version()})
        _expose_shard(*shard, registry=self._static)
        self._dropped_log_records = _DroppedLogRecords(dropped_log_records)
        self._static.register(self._dropped_log_records)
        if process:
            self._process.register(_ProcessMetrics())
            PlatformCollector(registry=self._static)

    def of(self, organization: str, *, endpoints: Collection[str]) -> RequestMetrics:
        """Return the observer of one organization; existing counters continue."""
        metrics = self._requests.get(organization)
        if metrics is None:
            metrics = RequestMetrics(organization, endpoints=endpoints, clock=self._clock)
            metrics.render()  # not at the next scrape, which would render all new organizations
            self._requests = dict(sorted([*self._requests.items(), (organization, metrics)]))
            self._rendered.clear()
        else:
            metrics.expect(endpoints)
        return metrics

    def forget(self, organization: str) -> None:
        """Remove every series of an organization that is no longer configured."""
        self._requests.pop(organization, None)
        self._rendered.clear()

    def config_loaded(self, *, successful: bool) -> None:
        """Record whether the configuration could be loaded."""
        self._config_successful.set(successful)
        if successful:
            self._config_timestamp.set(self._clock.wall())
        self._rendered.clear()

    def versions(self) -> tuple[int, ...]:
        """Return a value that changes with every change of any request metrics."""
        return tuple(each.version for each in self._requests.values())

    def request_sections(self) -> list[Sections]:
        """Return the request metrics of every group of organizations, sorted by name."""
        return self._groups.all([each.render() for each in self._requests.values()])

    def prepare(self, organization: str) -> None:
        """Render the request metrics of an organization's group ahead of the next scrape."""
        if organization not in self._requests:
            return
        self._requests[organization].render()
        number, members = group_at(list(self._requests).index(organization))
        group = list(self._requests.values())[members]
        self._groups.group(number, [each.rendered for each in group])

    def process(self, form: Format) -> bytes:
        """Return the metrics of the process itself, which end the exposition."""
        if self._dropped_log_records.has_changed():
            self._rendered.clear()
        static = self._rendered.get(form)
        if static is None:
            static = _render(self._static, form).removesuffix(_END)
            if self._keys_url is not None:
                static += render_keys_page_info(self._keys_url, self._requests, form)
            self._rendered[form] = static
        return static + self.web.render(form) + _render(self._process, form)


def _expose_shard(ordinal: int, total: int, *, registry: CollectorRegistry) -> None:
    metric = catalogue.SHARD_ORDINAL
    by_ordinal = Gauge(metric.name, metric.help, metric.labels, registry=registry)
    by_ordinal.labels(str(ordinal)).set(ordinal)
    metric = catalogue.TOTAL_SHARDS
    Gauge(metric.name, metric.help, registry=registry).set(total)


class _ProcessMetrics:
    """The client library's ``process_*`` metrics with their units, which the library leaves out."""

    def __init__(self) -> None:
        self._library = ProcessCollector(registry=None)

    def collect(self) -> Iterator[Family]:
        for family in self._library.collect():
            family.unit = unit_of(family.name)
            yield family


class _DroppedLogRecords(Collector):
    """A counter whose value is kept elsewhere."""

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count
        self._value = count()

    def has_changed(self) -> bool:
        """Read the value; return whether it has changed."""
        before, self._value = self._value, self._count()
        return self._value != before

    def collect(self) -> Iterator[CounterMetricFamily]:
        metric = catalogue.LOG_RECORDS_DROPPED
        yield CounterMetricFamily(metric.name, metric.help, value=self._value)


def _render(registry: CollectorRegistry, form: Format) -> bytes:
    if form is Format.OPENMETRICS:
        return openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call, no-any-return]
    return generate_latest(registry)
