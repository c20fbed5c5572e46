"""The Grafana dashboards, built from code: ``python -m grafana`` writes them anew."""

from grafana import health, keys
from grafana.board import text_of

__all__ = ["dashboards"]


def dashboards() -> dict[str, str]:
    """Return the text of each dashboard by the name of its file."""
    return {
        "api-keys.json": text_of(keys.board()),
        "exporter-health.json": text_of(health.board()),
    }
