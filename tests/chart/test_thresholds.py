"""The thresholds of the values replace the limits in the rules and in their texts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.chart.helm import CHART
from tests.chart.rules import (
    SCHEMA,
    with_rules,
)
from tests.prometheus.rule_files import ALERTS, promtool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("chart")]

DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())["prometheusRule"]
THRESHOLDS: dict[str, Any] = yaml.safe_load((CHART / "files" / "thresholds.yaml").read_text())


def places() -> Iterator[tuple[str, str, str, str]]:
    """Yield the threshold, the alert, the field and the default text of each place."""
    for threshold, each in THRESHOLDS.items():
        value = each["default"]
        numbers = {"value": value, "percent": 100 * value, "rest": 1 - value}
        for place in each["places"]:
            for field in place.keys() - {"alert"}:
                text = place[field]
                if isinstance(text, dict):
                    text = text["default"]
                for name, number in numbers.items():
                    text = text.replace(f"{{{name}}}", f"{number:.6g}")
                yield threshold, place["alert"], field, text


def field_of(rule: Any, field: str) -> str:
    return str(rule["expr"] if field == "expr" else rule["annotations"][field])


def test_each_threshold_is_a_value_with_its_default() -> None:
    defaults = {name: each["default"] for name, each in THRESHOLDS.items()}
    assert defaults == DEFAULTS["thresholds"]
    assert defaults.keys() == SCHEMA["properties"]["thresholds"]["properties"].keys()


@pytest.mark.parametrize(("threshold", "alert", "field", "text"), sorted(places()))
def test_a_replaced_text_occurs_once(threshold: str, alert: str, field: str, text: str) -> None:
    found = field_of(ALERTS[alert], field)
    assert found.count(text) == 1, f"files/thresholds.yaml, {threshold}: {text!r} in {found!r}"
    assert re.search(r"\d", text) or field != "expr"


FIXED = {
    "0",  # more than none, or a metric that is 1 or 0
    "86400",  # seconds in a day
    "7",  # a seventh of the policy expires_within, and days of a forecast
    "0.9",  # how complete the samples of a day are
    "288",  # intervals of five minutes in a day
}
"""Numbers in expressions that are no limits an operator would change."""


@pytest.mark.parametrize("alert", ALERTS)
def test_each_limit_is_a_threshold(alert: str) -> None:
    expression = ALERTS[alert]["expr"]
    for _, name, field, text in places():
        if (name, field) == (alert, "expr"):
            expression = expression.replace(text, re.sub(r"\b[\d.]+(?=\D|$)", "", text, count=1))
    bare = re.sub(r'"[^"]*"|\[[^]]*\]|\boffset \w+', "", expression)
    assert set(re.findall(r"(?<![\w:.])\d[\d.]*(?![\w:])", bare)) <= FIXED


CHANGED_TEXTS = {
    "ConfluentApiKeysOwnCredentialExpiring": (["< 30 * 86400 >= 7 * 86400"], []),
    "ConfluentApiKeysOwnCredentialExpiringVerySoon": (["time() < 7 * 86400"], []),
    "ConfluentApiKeysRateLimitNearlyExhausted": (["} < 0.25\n"], []),
    "ConfluentApiKeysHighFailureRatio": (
        [":ratio_rate30m > 0.5\n", ") >= 100"],
        ["in the last 30 minutes, out of at least 100."],
    ),
    "ConfluentApiKeysCreationBurst": (
        [") >= 1500000\n", "> 0.29 * organization:"],
        ["That is at least 1500000 and more than 29% of all."],
    ),
    "ConfluentApiKeysNewCloudOrGlobalKey": (["(50,\n"], []),
    "ConfluentApiKeysVisibilityDropped": (
        [") > 0.45\n", "< 0.55 * max_over_time(", ") >= 8"],
        [],
    ),
    "ConfluentApiKeysInventoryCollapsed": (
        ["< 0.125 * max_over_time(", "[1d]) >= 40"],
        [
            "An organization has less than 12.5% of the API keys it had.",
            "That is less than 12.5% of the highest number in the last day.",
        ],
    ),
    "ConfluentApiKeysQuotaHigh": ([":ratio >= 0.7"], ["quota is at least 70 percent used."]),
    "ConfluentApiKeysQuotaCritical": (
        [":ratio >= 0.995"],
        ["quota is at least 99.5 percent used."],
    ),
    "ConfluentApiKeysQuotaFullWithinAWeek": ([":ratio > 0.6\n"], []),
}
"""By alert: what the expression and the texts contain with the thresholds in ``CHANGED``."""


def test_thresholds_change_the_expression_and_the_texts(changed_alerts: dict[str, Any]) -> None:
    for name, (expressions, texts) in CHANGED_TEXTS.items():
        annotations = changed_alerts[name]["annotations"]
        mentioned = f"{annotations['summary']} {annotations['description']}"
        for text in expressions:
            assert text in changed_alerts[name]["expr"]
        for text in texts:
            assert text in mentioned
    about_jobs = {"ConfluentApiKeysExporterDown", "ConfluentApiKeysExporterAbsent"}
    differing = {
        name
        for name, rule in changed_alerts.items()
        if name in ALERTS and rule["expr"] != ALERTS[name]["expr"]
    }
    assert differing == CHANGED_TEXTS.keys() | about_jobs
    assert CHANGED_TEXTS.keys() == {alert for _, alert, _, _ in places()}


def test_an_alert_fires_at_the_changed_threshold(tmp_path: Path) -> None:
    groups = with_rules(thresholds={"quotaHighRatio": 0.7})
    names = {"confluent-api-keys.recording", "confluent-api-keys.quotas"}
    kept = [group for group in groups if group["name"] in names]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": kept}))
    name, labels = "ConfluentApiKeysQuotaHigh", 'job="keys", organization="acme", quota_id="q"'
    cases = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "group_eval_order": ["confluent-api-keys.recording", "confluent-api-keys.quotas"],
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": f"confluent_cloud_quota_limit{{{labels}}}", "values": "100x60"},
                    {"series": f"confluent_cloud_quota_usage{{{labels}}}", "values": f"{used}x60"},
                ],
                "promql_expr_test": [
                    {
                        "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                        "eval_time": "1h",
                        "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1}]
                        if used >= 70
                        else [],
                    }
                ],
            }
            for used in (69, 70)
        ],
    }
    (tmp_path / "cases.yml").write_text(yaml.safe_dump(cases))
    promtool("test", "rules", tmp_path / "cases.yml")
