"""The dashboard about the API and the exporter: whether the numbers can be trusted."""

from __future__ import annotations

from monitoring.dashboards import variables
from monitoring.dashboards.board import API_KEYS, HEALTH, Board, Row, link
from monitoring.dashboards.exporter_health import api, collectors, exporters, overview, refreshes


def board() -> Board:
    """Return the dashboard."""
    return Board(
        uid=HEALTH,
        title="Confluent Cloud API and exporter health",
        about="Whether confluent-api-keys-exporter gets what it asks Confluent Cloud for, what it"
        " spends of the API's rate limit, and how it is itself.",
        variables=[
            variables.datasource(),
            *variables.targets(),
            variables.organization(),
            *variables.remembered(),
        ],
        other=link("API keys", API_KEYS, "The keys themselves"),
        rows=[
            Row(0, "", [*overview.panels(), *collectors.panels()]),
            Row(100, "Rate limit of the API", api.rate_limit()),
            Row(200, "Requests to the API", api.requests()),
            Row(300, "Refreshes", refreshes.panels()),
            Row(400, "What is exposed", exporters.exposed()),
            Row(500, "Processes", exporters.processes(), folded=True),
        ],
    )
