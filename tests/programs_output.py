"""Extracts parts of an exposition."""

from __future__ import annotations

from exporter.exposition.catalogue import INVENTORY

_NAMES = tuple(metric.name for metric in INVENTORY.metrics)


def inventory_part(exposition: str) -> list[str]:
    """Return the unchanged lines of the metrics that come from a complete listing."""
    return [line for line in exposition.splitlines() if line.split("{")[0] in _NAMES]
