"""Draws the pictures of the documentation: ``python -m monitoring.pictures``.

Grafana is not needed. The tool reads the JSON of the dashboards, queries a real Prometheus with a
week of metrics, and renders the panels in Chromium. Details may differ from Grafana.
"""
