"""Write every generated artefact: ``python -m monitoring``."""

from pathlib import Path

from monitoring.chart_schema import PATH, values_schema
from monitoring.dashboards import dashboards
from monitoring.prometheus_rule import prometheus_rule

ROOT = Path(__file__).parents[1]

if __name__ == "__main__":
    for name, text in dashboards().items():
        (ROOT / "grafana" / "dashboards" / name).write_text(text, encoding="utf-8")
    (ROOT / "prometheus" / "prometheus-rule.yaml").write_text(prometheus_rule(), encoding="utf-8")
    PATH.write_text(values_schema(), encoding="utf-8")
