"""The schema of the Helm chart's values, with the names of the alerts."""

from __future__ import annotations

import json
from pathlib import Path

from monitoring.prometheus_rule import rule_groups

CHART = Path(__file__).parents[1] / "charts" / "confluent-api-keys-exporter"
PATH = CHART / "values.schema.json"


def values_schema() -> str:
    """Return the text of ``values.schema.json`` with a property for each alert of the rules."""
    schema = json.loads(PATH.read_text())
    alerts = schema["properties"]["prometheusRule"]["properties"]["alerts"]
    alerts["properties"] = {
        rule["alert"]: {
            "description": rule["annotations"]["summary"],
            "type": "object",
            "allOf": [{"$ref": "#/$defs/alert"}],
        }
        for group in rule_groups()
        for rule in group["rules"]
        if "alert" in rule
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
