"""The rules of the chart are those of the repository, with the settings of the values."""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from monitoring.chart_schema import PATH, values_schema
from tests.chart.helm import rendered_file
from tests.chart.rules import (
    CHANGED,
    SCHEMA,
    alerts_in,
    groups_of,
    with_rules,
)
from tests.prometheus.rule_files import ALERTS, GROUPS, promtool

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("chart")]


def test_the_rules_are_those_of_the_repository() -> None:
    """So what the promtool tests of the repository prove holds for the chart."""
    assert with_rules() == GROUPS


def test_without_an_address_there_are_no_links(changed_alerts: dict[str, Any]) -> None:
    expected = copy.deepcopy(GROUPS)
    for rule in alerts_in(expected).values():
        rule["annotations"].pop("dashboard_url", None)
        del rule["annotations"]["runbook_url"]
    assert with_rules(dashboardUrl="", runbookUrl="") == expected
    for name, rule in changed_alerts.items():
        links = rule["annotations"]
        if name in ALERTS:
            assert links["runbook_url"] == f"https://wiki.example.com/runbooks/{name}.md"
        if "dashboard_url" in links:
            base = "https://grafana.example.com/d/confluent-api-keys?var-job="
            assert links["dashboard_url"].startswith(base)
    assert ".example/" not in json.dumps(changed_alerts)


def test_promtool_accepts_the_changed_rules(tmp_path: Path) -> None:
    groups = groups_of(rendered_file(CHANGED))
    assert groups[-1]["name"] == "own"
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": groups}))
    promtool("check", "rules", file)


# Settings of single alerts


def test_the_schema_has_each_alert_with_its_summary() -> None:
    described = {
        name: each["description"]
        for name, each in SCHEMA["properties"]["alerts"]["properties"].items()
    }
    assert described == {name: rule["annotations"]["summary"] for name, rule in ALERTS.items()}
    assert PATH.read_text() == values_schema(), "run: make monitoring"


def test_each_alert_can_be_disabled() -> None:
    """Half of the alerts at a time. A group without rules is left out."""
    for parity in (0, 1):
        disabled = [*ALERTS][parity::2]
        groups = with_rules(alerts={name: {"enabled": False} for name in disabled})
        expected = copy.deepcopy(GROUPS)
        for group in expected:
            group["rules"] = [each for each in group["rules"] if each.get("alert") not in disabled]
        assert groups == [group for group in expected if group["rules"]]
    every = with_rules(alerts={name: {"enabled": False} for name in ALERTS})
    assert [group["name"] for group in every] == ["confluent-api-keys.recording"]


def test_labels_and_annotations_of_an_alert_take_precedence(changed_alerts: dict[str, Any]) -> None:
    assert ALERTS.keys() - changed_alerts.keys() == {
        "ConfluentApiKeysPairsCollapsed",
        "ConfluentApiKeysUserOwned",
    }
    for name, rule in changed_alerts.items():
        if name in ALERTS:
            assert rule["for"] == "30m"
            labels = {"severity": "page", "cluster": "production", "team": "platform"}
            assert rule["labels"] == labels
            annotations = rule["annotations"]
            assert annotations["chat"] == "https://chat.example.com/c/{{ $labels.job }}"
            assert annotations["console"] == "https://confluent.cloud/settings/api-keys"


def test_labels_of_all_alerts_replace_those_of_the_rules() -> None:
    rule = alerts_in(with_rules(alertLabels={"team": "sre"}))["ConfluentApiKeysQuotaHigh"]
    assert rule["labels"] == {"severity": "warning", "team": "sre"}


def test_the_texts_mention_how_long_an_alert_waits(changed_alerts: dict[str, Any]) -> None:
    mentioned = {
        name: set(re.findall(r"at least (\d+ \w+)[ .]", rule["annotations"]["description"]))
        for name, rule in ALERTS.items()
    }
    waits = {name: found for name, found in mentioned.items() if any("min" in x for x in found)}
    assert waits == {
        "ConfluentApiKeysExporterDown": {"10 minutes"},
        "ConfluentApiKeysExporterAbsent": {"10 minutes"},
        "ConfluentApiKeysRefreshFailing": {"15 minutes"},
    }
    for name, found in waits.items():
        assert found == {f"{ALERTS[name]['for'].removesuffix('m')} minutes"}
        assert "for at least 30 minutes." in changed_alerts[name]["annotations"]["description"]


def test_a_duration_is_written_in_words() -> None:
    durations = {"ExporterDown": "1h", "ExporterAbsent": "45s", "RefreshFailing": "1h30m"}
    settings = {f"ConfluentApiKeys{name}": {"for": each} for name, each in durations.items()}
    rules = alerts_in(with_rules(alerts=settings))
    down, absent, failing = (rules[name]["annotations"]["description"] for name in settings)
    assert "has not answered a scrape for at least 1 hour. Its" in down
    assert "contains confluent-api-keys for at least 45 seconds. API" in absent
    assert "has failed for at least 1h30m. The last" in failing


def test_values_without_content_are_the_defaults() -> None:
    """A key in YAML without a value is null, and Helm removes the default."""
    names = "alerts", "alertLabels", "alertAnnotations", "labels", "annotations", "thresholds"
    assert with_rules(**dict.fromkeys(names)) == GROUPS
    limits = with_rules(thresholds={"quotaHighRatio": None, "ownCredentialExpiringDays": None})
    assert limits == GROUPS
