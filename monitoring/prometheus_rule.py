"""The rule files as one ``PrometheusRule`` resource for the Prometheus Operator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_RULES = Path(__file__).parents[1] / "prometheus" / "rules"
_HEADER = """\
# Generated from prometheus/rules by: make monitoring
# Add the labels that your ruleSelector selects. The hosts in the URLs are placeholders.
"""


class _Dumper(yaml.SafeDumper):
    """Writes multi-line strings as literal blocks."""


def _represent_string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_string)


def rule_groups() -> list[Any]:
    """Return the groups of the rule files: the recording rules, then the alerts."""
    files = [_RULES / f"confluent-api-keys.{kind}.yml" for kind in ("recording", "alerts")]
    return [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]


def prometheus_rule() -> str:
    """Return the text of ``prometheus-rule.yaml``."""
    resource = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {
            "name": "confluent-api-keys",
            "labels": {"app.kubernetes.io/name": "confluent-api-keys-exporter"},
        },
        "spec": {"groups": rule_groups()},
    }
    return _HEADER + yaml.dump(
        resource, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=float("inf")
    )
