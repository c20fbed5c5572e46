"""The rules of the chart are those of the repository, with the settings of the values."""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from monitoring.chart_schema import PATH, values_schema
from tests.chart.helm import CHART, NAMESPACE, Rendered, rendered, rendered_file
from tests.prometheus.rule_files import ALERTS, GROUPS, promtool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.chart.helm import Manifest

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("chart")]

CHANGED = CHART / "ci" / "monitoring-values.yaml"
ORGANIZATION = {"name": "acme", "credentials": {"existingSecret": {"name": "acme"}}}
SCHEMA = json.loads((CHART / "values.schema.json").read_text())["properties"]["prometheusRule"]
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())["prometheusRule"]
THRESHOLDS: dict[str, Any] = yaml.safe_load((CHART / "files" / "thresholds.yaml").read_text())
GRAFANA = "https://grafana.confluent-api-keys-exporter.example"


def groups_of(release: Rendered) -> list[Any]:
    """Return the groups of the only PrometheusRule."""
    [resource] = release.of_kind("PrometheusRule")
    groups: list[Any] = resource["spec"]["groups"]
    return groups


def with_rules(**settings: Any) -> list[Any]:
    """Return the groups for the values ``settings`` of prometheusRule."""
    rules = {"enabled": True, "dashboardUrl": GRAFANA, **settings}
    values = {"organizations": [ORGANIZATION], "prometheusRule": rules}
    return groups_of(rendered(values=values, only=["prometheusrule.yaml"]))


def alerts_in(groups: list[Any]) -> dict[str, Any]:
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


@pytest.fixture(scope="module")
def changed() -> dict[str, Any]:
    """The alerts with everything changed."""
    return alerts_in(groups_of(rendered_file(CHANGED)))


def test_the_rules_are_those_of_the_repository() -> None:
    """So what the promtool tests of the repository prove holds for the chart."""
    assert with_rules() == GROUPS


def test_without_an_address_there_are_no_links(changed: dict[str, Any]) -> None:
    expected = copy.deepcopy(GROUPS)
    for rule in alerts_in(expected).values():
        rule["annotations"].pop("dashboard_url", None)
        del rule["annotations"]["runbook_url"]
    assert with_rules(dashboardUrl="", runbookUrl="") == expected
    for name, rule in changed.items():
        links = rule["annotations"]
        if name in ALERTS:
            assert links["runbook_url"] == f"https://wiki.example.com/runbooks/{name}.md"
        if "dashboard_url" in links:
            base = "https://grafana.example.com/d/confluent-api-keys?var-job="
            assert links["dashboard_url"].startswith(base)
    assert ".example/" not in json.dumps(changed)


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


def test_labels_and_annotations_of_an_alert_take_precedence(changed: dict[str, Any]) -> None:
    assert ALERTS.keys() - changed.keys() == {
        "ConfluentApiKeysPairsCollapsed",
        "ConfluentApiKeysUserOwned",
    }
    for name, rule in changed.items():
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


def test_the_texts_mention_how_long_an_alert_waits(changed: dict[str, Any]) -> None:
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
        assert "for at least 30 minutes." in changed[name]["annotations"]["description"]


def test_a_duration_is_written_in_words() -> None:
    durations = {"ExporterDown": "1h", "ExporterAbsent": "45s", "RefreshFailing": "1h30m"}
    settings = {f"ConfluentApiKeys{name}": {"for": each} for name, each in durations.items()}
    rules = alerts_in(with_rules(alerts=settings))
    down, absent, failing = (rules[name]["annotations"]["description"] for name in settings)
    assert "has not answered a scrape for at least 1 hour. Its" in down
    assert "contains confluent-api-keys for at least 45 seconds. API" in absent
    assert "has failed for at least 1h30m. The last" in failing


# Thresholds


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


def test_thresholds_change_the_expression_and_the_texts(changed: dict[str, Any]) -> None:
    for name, (expressions, texts) in CHANGED_TEXTS.items():
        annotations = changed[name]["annotations"]
        mentioned = f"{annotations['summary']} {annotations['description']}"
        for text in expressions:
            assert text in changed[name]["expr"]
        for text in texts:
            assert text in mentioned
    about_jobs = {"ConfluentApiKeysExporterDown", "ConfluentApiKeysExporterAbsent"}
    differing = {
        name
        for name, rule in changed.items()
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


# The names of the jobs


def job_of(monitor: Manifest, release: Rendered) -> str:
    """Return the job that the operator names, as its API reference says of `jobLabel`."""
    label = monitor["spec"].get("jobLabel", "")
    if monitor["kind"] == "ServiceMonitor":
        service = release.of_kind("Service")[0]["metadata"]
        return str(service["labels"].get(label, service["name"]))
    [pod] = release.pods()
    default = f"{monitor['metadata']['namespace']}/{monitor['metadata']['name']}"
    return str(pod["metadata"]["labels"].get(label, default))


ENABLED = {"enabled": True}


@pytest.mark.parametrize(
    ("values", "expression", "jobs"),
    [
        (
            {"serviceMonitor": ENABLED, "podMonitor": ENABLED},
            ".*confluent-api-keys.*",
            ["keys-confluent-api-keys-exporter", "monitoring/keys-confluent-api-keys-exporter"],
        ),
        (
            {"serviceMonitor": ENABLED, "podMonitor": ENABLED, "fullnameOverride": "quotas"},
            f".*confluent-api-keys.*|{NAMESPACE}/quotas|quotas",
            ["quotas", f"{NAMESPACE}/quotas"],
        ),
        (
            {"podMonitor": ENABLED | {"namespace": "prom"}, "nameOverride": "exporter"},
            ".*confluent-api-keys.*|prom/keys-exporter",
            ["prom/keys-exporter"],
        ),
        (
            {
                "serviceMonitor": ENABLED | {"jobLabel": "tier"},
                "service": {"labels": {"tier": "a.b"}},
            },
            r".*confluent-api-keys.*|a\\.b",
            ["a.b"],
        ),
        (
            {"podMonitor": ENABLED | {"jobLabel": "tier"}, "podLabels": {"tier": "a.b"}},
            r".*confluent-api-keys.*|a\\.b",
            ["a.b"],
        ),
        (
            {"serviceMonitor": ENABLED | {"jobLabel": "none"}, "fullnameOverride": "quotas"},
            ".*confluent-api-keys.*|quotas",
            ["quotas"],
        ),
        (
            {"serviceMonitor": ENABLED | {"jobLabel": "app.kubernetes.io/instance"}},
            ".*confluent-api-keys.*|keys",
            ["keys"],
        ),
    ],
)
def test_the_alerts_on_the_exporter_match_the_jobs_of_the_release(
    values: dict[str, Any], expression: str, jobs: list[str]
) -> None:
    release = rendered(values=values | {"prometheusRule": ENABLED, "organizations": [ORGANIZATION]})
    monitors = release.of_kind("ServiceMonitor", "PodMonitor")
    assert {job_of(monitor, release) for monitor in monitors} == set(jobs)
    for name in ("ConfluentApiKeysExporterDown", "ConfluentApiKeysExporterAbsent"):
        [matcher] = re.findall(r'job=~"(.*?)"', alerts_in(groups_of(release))[name]["expr"])
        assert matcher == expression
        for job in jobs:
            assert re.fullmatch(matcher.replace("\\\\", "\\"), job)


def test_the_jobs_can_be_given(changed: dict[str, Any]) -> None:
    expected = 'max_over_time(up{job=~"keys|.*-exporter"}[5m]) == 0'
    assert changed["ConfluentApiKeysExporterDown"]["expr"] == expected
    absent = changed["ConfluentApiKeysExporterAbsent"]
    assert absent["expr"] == 'absent(up{job=~"keys|.*-exporter"})'
    assert (
        "in a job whose name matches keys|.*-exporter for" in absent["annotations"]["description"]
    )


def test_values_without_content_are_the_defaults() -> None:
    """A key in YAML without a value is null, and Helm removes the default."""
    names = "alerts", "alertLabels", "alertAnnotations", "labels", "annotations", "thresholds"
    assert with_rules(**dict.fromkeys(names)) == GROUPS
    limits = with_rules(thresholds={"quotaHighRatio": None, "ownCredentialExpiringDays": None})
    assert limits == GROUPS
