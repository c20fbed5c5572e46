"""Renders metrics in the formats of Prometheus."""

from exporter.exposition.exposition import Exposition
from exporter.exposition.instruments import Instruments
from exporter.exposition.negotiation import accepts_gzip, choose_format
from exporter.exposition.rendering import Part, histogram_lines, part
from exporter.exposition.text import Format

__all__ = [
    "Exposition",
    "Format",
    "Instruments",
    "Part",
    "accepts_gzip",
    "choose_format",
    "histogram_lines",
    "part",
]
