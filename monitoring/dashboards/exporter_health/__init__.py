"""The dashboard about the API and the exporter: whether the data can be trusted."""

from __future__ import annotations

from monitoring.dashboards import variables
from monitoring.dashboards.dashboard import API_KEYS, HEALTH, Dashboard, Row, link
from monitoring.dashboards.exporter_health import api, exporters, overview, refreshes


def dashboard() -> Dashboard:
    """Return the dashboard."""
    return Dashboard(
        uid=HEALTH,
        title="Confluent Cloud API and exporter health",
        description="Whether confluent-api-keys-exporter gets its data from Confluent Cloud,"
        " how much of the API rate limit is left, and the state of the exporter"
        " itself.",
        variables=[
            variables.datasource(),
            *variables.targets(),
            variables.organization(),
            *variables.hidden_inventory(),
        ],
        link=link("API keys", API_KEYS, "Number, owners, age and findings"),
        rows=[
            Row(0, "", overview.panels()),
            Row(100, "API rate limit", api.rate_limit()),
            Row(200, "API requests", api.requests()),
            Row(300, "Refreshes", refreshes.panels()),
            Row(400, "Exposed series", exporters.exposed()),
            Row(500, "Processes", exporters.processes(), collapsed=True),
        ],
    )
