"""The rule files as the ``PrometheusRule`` that the Prometheus Operator reads."""

from __future__ import annotations

from pathlib import Path

import yaml

_RULES = Path(__file__).parent / "rules"
_HEADER = """\
# Generated from prometheus/rules by: python -m prometheus
# Add the labels that your Prometheus' ruleSelector wants. The runbooks' host is a placeholder.
"""


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as they are."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def rule_groups() -> list[object]:
    """Return the groups of both files, those that record first."""
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
