"""Generates the Grafana dashboards and the PrometheusRule: ``python -m monitoring``."""
