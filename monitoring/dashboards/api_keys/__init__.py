"""The dashboard about the keys: number, owners, age and findings."""

from __future__ import annotations

from monitoring.dashboards import variables
from monitoring.dashboards.api_keys import age, findings, growth, overview, owners, quotas, usage
from monitoring.dashboards.dashboard import API_KEYS, HEALTH, Dashboard, Row, link


def dashboard() -> Dashboard:
    """Return the dashboard."""
    return Dashboard(
        uid=API_KEYS,
        title="Confluent Cloud API keys",
        description="The API keys of Confluent Cloud organizations: their number, owners,"
        " resources and age, changes over time, and policy violations. Data from"
        " confluent-api-keys-exporter.",
        variables=[
            variables.datasource(),
            *variables.targets(),
            variables.organization(),
            *variables.inventory(),
        ],
        link=link("API and exporter health", HEALTH, "Whether the data is current and complete"),
        rows=[
            Row(0, "", overview.panels()),
            Row(100, "Growth and churn", growth.panels()),
            Row(200, "Owners and resources", owners.panels()),
            Row(300, "Age and rotation", age.panels()),
            Row(400, "Quotas", quotas.panels()),
            Row(500, "Findings", findings.panels()),
            Row(600, "Usage", usage.panels()),
        ],
    )
