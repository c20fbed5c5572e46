"""The live metrics: what moves between refreshes."""

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
from exporter.exposition.activity import Activity
from exporter.exposition.text import Format, unit_of
from exporter.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client import Metric as Family

    from exporter.clock import Clock
    from exporter.exposition.document import Chunks

_END = b"# EOF\n"


class Instruments:
    """All live metrics of the process.

    ``process``: whether to add the ``process_*`` metrics and ``python_info``; a file for the
    textfile collector must not have them, since the node exporter has its own.
    ``dropped_log_records`` returns their number since the start.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        process: bool = True,
        dropped_log_records: Callable[[], int] = lambda: 0,
    ) -> None:
        self._clock = clock
        self._activities: dict[str, Activity] = {}
        """Sorted by organization."""
        self._process = CollectorRegistry()
        self._lasting = CollectorRegistry()
        """Of what seldom changes."""
        self._rendered: dict[Format, bytes] = {}
        """That, as it was rendered since it changed."""
        successful, timestamp = (
            catalogue.CONFIG_RELOAD_SUCCESSFUL,
            catalogue.CONFIG_RELOAD_TIMESTAMP,
        )
        self._config_successful = Gauge(successful.name, successful.help, registry=self._lasting)
        self._config_timestamp = Gauge(
            timestamp.name, timestamp.help, unit=unit_of(timestamp.name), registry=self._lasting
        )
        build = Info(
            catalogue.BUILD_INFO.name.removesuffix("_info"),
            catalogue.BUILD_INFO.help,
            registry=self._lasting,
        )
        build.info({"version": __version__, "python_version": platform.python_version()})
        self._dropped_log_records = _DroppedLogRecords(dropped_log_records)
        self._lasting.register(self._dropped_log_records)
        if process:
            self._process.register(_ProcessMetrics())
            PlatformCollector(registry=self._lasting)

    def of(self, organization: str, *, endpoints: Iterable[str]) -> Activity:
        """Return the observer of one organization; its counters go on if it was there before."""
        known = self._activities.get(organization)
        if known is None:
            known = Activity(organization, endpoints=endpoints, clock=self._clock)
            self._activities = dict(sorted([*self._activities.items(), (organization, known)]))
        else:
            known.expect(endpoints)
        return known

    def forget(self, organization: str) -> None:
        """Remove every series of an organization that is configured no more."""
        self._activities.pop(organization, None)

    def config_loaded(self, *, successful: bool) -> None:
        """Take in that the configuration was loaded, or could not be."""
        self._config_successful.set(successful)
        if successful:
            self._config_timestamp.set(self._clock.wall())
        self._rendered.clear()

    def versions(self) -> tuple[int, ...]:
        """Return what is different whenever any organization's live metrics are."""
        return tuple(each.version for each in self._activities.values())

    def activities(self) -> list[Chunks]:
        """Return the live metrics of every organization, sorted by its name."""
        return [each.render() for each in self._activities.values()]

    def prepare(self, organization: str) -> None:
        """Render the live metrics of an organization, so that the next scrape need not."""
        known = self._activities.get(organization)
        if known is not None:
            known.render()

    def process(self, form: Format) -> bytes:
        """Return the live metrics of the process itself, ending the exposition."""
        if self._dropped_log_records.moved():
            self._rendered.clear()
        lasting = self._rendered.get(form)
        if lasting is None:
            lasting = self._rendered[form] = _render(self._lasting, form).removesuffix(_END)
        return lasting + _render(self._process, form)


class _ProcessMetrics:
    """The client library's ``process_*`` metrics with their units, which it leaves out."""

    def __init__(self) -> None:
        self._library = ProcessCollector(registry=None)

    def collect(self) -> Iterator[Family]:
        for family in self._library.collect():
            family.unit = unit_of(family.name)
            yield family


class _DroppedLogRecords(Collector):
    """A counter that is counted elsewhere."""

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count
        self._value = count()

    def moved(self) -> bool:
        """Take in the count; return whether it is another one than before."""
        before, self._value = self._value, self._count()
        return self._value != before

    def collect(self) -> Iterator[CounterMetricFamily]:
        metric = catalogue.LOG_RECORDS_DROPPED
        yield CounterMetricFamily(metric.name, metric.help, value=self._value)


def _render(registry: CollectorRegistry, form: Format) -> bytes:
    if form is Format.OPENMETRICS:
        return openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call, no-any-return]
    return generate_latest(registry)
