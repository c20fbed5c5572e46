"""The groups of the PrometheusRule that the chart renders."""

from __future__ import annotations

import json
from typing import Any

from tests.chart.helm import CHART, Rendered, rendered

CHANGED = CHART / "ci" / "monitoring-values.yaml"
ORGANIZATION = {"name": "acme", "credentials": {"existingSecret": {"name": "acme"}}}
SCHEMA = json.loads((CHART / "values.schema.json").read_text())["properties"]["prometheusRule"]
GRAFANA = "https://grafana.confluent-api-keys-exporter.example"


def groups_of(release: Rendered) -> list[Any]:
    """Return the groups of the only PrometheusRule."""
    [resource] = release.of_kind("PrometheusRule")
    groups: list[Any] = resource["spec"]["groups"]
    return groups


def with_rules(**settings: Any) -> list[Any]:
    """Return the groups for the values ``settings`` of prometheusRule."""
    rules = {"enabled": True, "dashboardUrl": GRAFANA, **settings}
    values = {"organizations": [ORGANIZATION], "prometheusRule": rules}
    return groups_of(rendered(values=values, only=["prometheusrule.yaml"]))


def alerts_in(groups: list[Any]) -> dict[str, Any]:
    """Return the alerts by name."""
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}
