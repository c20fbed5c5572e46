"""The Grafana dashboards, built from code."""

from monitoring.dashboards import api_keys, exporter_health
from monitoring.dashboards.dashboard import as_json

__all__ = ["dashboards"]


def dashboards() -> dict[str, str]:
    """Return the JSON of each dashboard by file name."""
    return {
        "api-keys.json": as_json(api_keys.dashboard()),
        "exporter-health.json": as_json(exporter_health.dashboard()),
    }
