"""What helm shows after an installation."""

from __future__ import annotations

from textwrap import indent
from typing import Any

import pytest

from tests.chart.helm import CHART, FULLNAME, rendered

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("chart")]

ORGANIZATIONS = [{"name": "acme", "credentials": {"apiKey": "KEY", "apiSecret": "old"}}]


def notes(values: dict[str, Any]) -> str:
    """Return what helm shows after an installation, rendered as a manifest."""
    template = indent((CHART / "templates" / "NOTES.txt").read_text(), "    ")
    text = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: notes}\ndata:\n  notes: |\n" + template
    )
    release = rendered(values=values | {"extraManifests": [text]}, only=["extramanifests.yaml"])
    return str(release.only("ConfigMap", "notes")["data"]["notes"])


def test_the_notes_name_the_workload_and_the_address() -> None:
    shown = notes({"organizations": ORGANIZATIONS})
    assert f"rollout status deployment/{FULLNAME}" in shown
    assert "http://localhost:10049/metrics" in shown
    assert "Everyone who can reach the pod can read the metrics." in shown
    assert "Prometheus must scrape each shard." not in shown


def test_the_notes_for_shards_with_tls_say_how_to_scrape() -> None:
    web = {"tls": {"existingSecret": "tls"}, "telemetryPath": "/m"}
    shown = notes({"organizations": ORGANIZATIONS, "shards": 2, "port": 8443, "web": web})
    assert f"exec statefulset/{FULLNAME}-shard-0 -- " in shown
    assert "check --config.file=/etc/confluent-api-keys-exporter/config.yaml --shard=0" in shown
    assert "https://localhost:8443/m" in shown
    assert "Everyone who can reach the pod can read the metrics." not in shown
    assert "Prometheus must scrape each shard." in shown
