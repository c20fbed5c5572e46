"""The links from alerts about keys to the dashboard."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.programs import ROOT
from tests.prometheus.alert_case import expect, findings
from tests.prometheus.rule_files import ALERTS, FILES

if TYPE_CHECKING:
    from pathlib import Path

DASHBOARD = json.loads((ROOT / "grafana" / "dashboards" / "api-keys.json").read_text())
(URL,) = {
    rule["annotations"]["dashboard_url"]
    for rule in ALERTS.values()
    if "dashboard_url" in rule["annotations"]
}
UNUSUAL = """a b&c=d+e%2F#f?"g'\\h/é~.-_{{ .Labels }}\ni"""


def test_the_dashboard_has_this_uid_and_these_variables() -> None:
    link = urlsplit(URL.replace("{{ $labels.", "").replace(" | urlquery }}", ""))
    assert link.path == f"/d/{DASHBOARD['uid']}"
    variables = {f"var-{each['name']}" for each in DASHBOARD["templating"]["list"]}
    selected = parse_qs(link.query)
    assert selected == {"var-job": ["job"], "var-organization": ["organization"]}
    assert selected.keys() <= variables


@pytest.mark.integration
def test_the_link_escapes_what_a_label_may_contain(tmp_path: Path) -> None:
    labels = {"job": UNUSUAL, "organization": UNUSUAL}
    query = urlencode({"var-job": UNUSUAL, "var-organization": UNUSUAL})
    url = f"https://grafana.confluent-api-keys-exporter.example/d/confluent-api-keys?{query}"
    given = findings("Expired", {"sa-1": 1}, **labels)
    expected = (labels | {"policy": "expired"}, url)
    expect(tmp_path, "Expired", given, expected, annotation="dashboard_url")


@pytest.mark.integration
def test_the_commands_in_the_comments_replace_every_placeholder(tmp_path: Path) -> None:
    text = FILES[1].read_text()
    copy = tmp_path / "rules.yml"
    copy.write_text(text.partition("groups:")[2])
    commands = [line[4:] for line in text.splitlines() if line.startswith("#   sed ")]
    assert len(commands) == 2
    for command in commands:
        subprocess.run(["sh", "-c", command.replace("FILE", copy.name)], cwd=tmp_path, check=True)
    replaced = copy.read_text()
    assert "confluent-api-keys-exporter.example" not in replaced
    assert replaced.count("https://wiki.team.example/keys/docs/runbooks/") == len(ALERTS)
    assert "https://grafana.team.example/d/confluent-api-keys?" in replaced
