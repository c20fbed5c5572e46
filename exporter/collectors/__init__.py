"""The collectors: each is one module that fetches, derives, renders and summarizes one slice.

A collector is registered by adding its class to :data:`COLLECTORS`. The first one lists the keys
and has priority over the others.
"""

from exporter.collectors.api_keys import ApiKeysCollector
from exporter.collectors.collector import Collector
from exporter.collectors.names import NamesCollector, SampledNamesCollector
from exporter.collectors.quotas import QuotasCollector
from exporter.collectors.usage import UsageCollector

COLLECTORS: tuple[type[Collector], ...] = (
    ApiKeysCollector,
    NamesCollector,
    QuotasCollector,
    UsageCollector,
)
"""Every collector of the exporter."""

__all__ = [
    "COLLECTORS",
    "ApiKeysCollector",
    "Collector",
    "NamesCollector",
    "QuotasCollector",
    "SampledNamesCollector",
    "UsageCollector",
]
