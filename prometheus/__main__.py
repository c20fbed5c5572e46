"""Writes what is generated from the rules: ``python -m prometheus``."""

from pathlib import Path

from prometheus.operator import prometheus_rule

if __name__ == "__main__":
    path = Path(__file__).parent / "prometheus-rule.yaml"
    path.write_text(prometheus_rule(), encoding="utf-8")
