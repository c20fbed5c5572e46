"""The dashboard about the keys: how many, whose, how old, and what is wrong with them."""

from __future__ import annotations

from monitoring.dashboards import variables
from monitoring.dashboards.api_keys import age, findings, growth, overview, owners, quotas
from monitoring.dashboards.board import API_KEYS, HEALTH, Board, Row, link


def board() -> Board:
    """Return the dashboard."""
    return Board(
        uid=API_KEYS,
        title="Confluent Cloud API keys",
        about="The API keys of Confluent Cloud organizations: how many there are, who has them for"
        " what, how old they are, what comes and goes, and which break the policy. From"
        " confluent-api-keys-exporter.",
        variables=[
            variables.datasource(),
            *variables.targets(),
            variables.organization(),
            *variables.inventory(),
        ],
        other=link("API and exporter health", HEALTH, "Whether the numbers here can be trusted"),
        rows=[
            Row(0, "", overview.panels()),
            Row(100, "Growth and churn", growth.panels()),
            Row(200, "Who has keys, for what", owners.panels()),
            Row(300, "Age and rotation", age.panels()),
            Row(400, "Quotas", quotas.panels()),
            Row(500, "Findings", findings.panels()),
        ],
    )
