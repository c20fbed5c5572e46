"""Draws the pictures of the documentation: ``python -m monitoring.pictures``.

Grafana is not needed. The tool reads the JSON of the dashboards, asks a real Prometheus with a week
of history, and lets Chromium draw the panels. Details differ in Grafana.
"""
