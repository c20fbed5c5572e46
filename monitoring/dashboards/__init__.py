"""The Grafana dashboards, built from code."""

from monitoring.dashboards import api_keys, exporter_health
from monitoring.dashboards.board import text_of

__all__ = ["dashboards"]


def dashboards() -> dict[str, str]:
    """Return the JSON of each dashboard by file name."""
    return {
        "api-keys.json": text_of(api_keys.board()),
        "exporter-health.json": text_of(exporter_health.board()),
    }
