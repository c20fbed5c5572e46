"""State to bytes: what Prometheus reads."""

from exporter.exposition.exposition import Exposition
from exporter.exposition.instruments import Instruments
from exporter.exposition.negotiation import accepts_gzip, choose_format
from exporter.exposition.text import Format

__all__ = ["Exposition", "Format", "Instruments", "accepts_gzip", "choose_format"]
