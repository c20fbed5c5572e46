"""The rules and alerts: proven by promtool's own tests, and written as the conventions want."""

from __future__ import annotations

import json
import re
import subprocess
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter.config.durations import parse_duration
from exporter.exposition import catalogue
from exporter.exposition.catalogue import CATALOGUE
from exporter.version import PROJECT_URL
from prometheus.operator import prometheus_rule
from tests.programs import ROOT, program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER = ROOT / "prometheus"
SOURCES = [FOLDER / "rules" / f"confluent-api-keys.{kind}.yml" for kind in ("recording", "alerts")]
GROUPS: list[Any] = [
    group for file in SOURCES for group in yaml.safe_load(file.read_text())["groups"]
]
RULES: list[Any] = [rule for group in GROUPS for rule in group["rules"]]
ALERTS: dict[str, Any] = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDED: dict[str, str] = {rule["record"]: rule["expr"] for rule in RULES if "record" in rule}
ABSENT = "ConfluentApiKeysExporterAbsent"
"""The one alert that is about there being no series."""
FILES = sorted((ROOT / "tests" / "prometheus" / "rules").glob("*.yml"))
CASES: dict[str, list[Any]] = {
    file.stem: yaml.safe_load(file.read_text())["tests"] for file in FILES
}
"""By the name of the file: that of the alert, or ``recording``."""

alerts = pytest.mark.parametrize("name", ALERTS)
recorded = pytest.mark.parametrize("name", RECORDED)
files = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def promtool(*arguments: str) -> None:
    done = subprocess.run(
        [program("promtool"), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_the_rules() -> None:
    promtool("check", "rules", *map(str, SOURCES))


@files
def test_promtool_proves(file: Path) -> None:
    promtool("test", "rules", str(file))


# What an expression speaks of

ADDED = {"job", "instance", "pod"}
"""Labels that Prometheus adds."""
SUFFIXES: dict[str, dict[str, set[str]]] = {
    "histogram": {"_bucket": {"le"}, "_count": set(), "_sum": set()},
    "gaugehistogram": {"_bucket": {"le"}, "_gcount": set(), "_gsum": set()},
}
EXPOSED: dict[str, set[str]] = {"up": ADDED} | {
    metric.name + suffix: {*metric.labels, *more, *ADDED}
    for section in CATALOGUE
    for metric in section.metrics
    for suffix, more in SUFFIXES.get(metric.type, {"": set()}).items()
}
"""The labels of every sample there is, by its name."""
_TEXT = r'"(?:[^"\\]|\\.)*"|\'[^\']*\''
_GROUPING = r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)"
_SELECTOR = r"([a-zA-Z_:][\w:]*)\s*(?:\{([^}]*)\}|(?![\w:]|\s*\())"
_OPERATORS = {"and", "or", "unless", "offset", "bool"}


def selectors(expression: str) -> dict[str, set[str]]:
    """Return the labels that are compared, by the name of what is selected."""
    bare = re.sub(_GROUPING, " ", re.sub(_TEXT, '""', expression))
    bare = re.sub(r"\[[^]]*\]|\boffset\s+\w+|\b\d[\w.]*", " ", bare)
    found: dict[str, set[str]] = {}
    for name, matchers in re.findall(_SELECTOR, bare):
        if name not in _OPERATORS:
            found.setdefault(name, set()).update(re.findall(r"(\w+)\s*[=!]", matchers))
    return found


def samples_of(expression: str) -> set[str]:
    """Return the names of the exposed samples that ``expression`` is computed from."""
    names = selectors(expression)
    return {
        sample
        for name in names
        for sample in (samples_of(RECORDED[name]) if name in RECORDED else {name})
    }


def labels_of(name: str) -> set[str]:
    """Return the labels of an exposed sample or a recorded series."""
    if name not in RECORDED:
        return EXPOSED[name]
    groups = re.findall(r"without \(([^)]*)\)", RECORDED[name])
    left_out = {label for each in groups for label in each.split(", ")}
    return {label for each in selectors(RECORDED[name]) for label in labels_of(each)} - left_out


def test_selectors_are_read_as_prometheus_reads_them() -> None:
    expression = """
        max without (instance) (rate(a_total{x="y{z}", job=~'b'}[5m] offset 1d)) > 2 * 1e3
          and on (job) group_left () quota:a:max{w!="u"} unless c offset 2h or time() - d:e
    """
    assert selectors(expression) == {
        "a_total": {"x", "job"},
        "quota:a:max": {"w"},
        "c": set(),
        "d:e": set(),
    }


def expressions() -> Iterator[str]:
    """Yield every expression, also those inside of descriptions."""
    for rule in RULES:
        yield rule["expr"]
        description = rule.get("annotations", {}).get("description", "")
        for text in re.findall(r'printf "(.*?)"[^|]*\| query', description):
            yield text.replace("%q", '""')


@pytest.mark.parametrize("expression", [*expressions()])
def test_an_expression_speaks_of_what_there_is(expression: str) -> None:
    found = selectors(expression)
    assert found
    assert found.keys() <= EXPOSED.keys() | RECORDED.keys()
    for name, labels in found.items():
        assert labels <= labels_of(name)
    groups = re.findall(_GROUPING, expression)
    grouped = {label for each in groups for label in re.findall(r"\w+", each)}
    assert grouped <= {label for name in found for label in labels_of(name)} | ADDED


@files
def test_the_cases_have_series_as_they_are_exposed(file: Path) -> None:
    for case in CASES[file.stem]:
        for each in case["input_series"]:
            ((name, labels),) = selectors(each["series"]).items()
            assert EXPOSED[name] - {"pod"} <= labels <= EXPOSED[name] | {"cluster"}, each


# What there is to prove of each


def test_every_alert_has_its_cases() -> None:
    assert CASES.keys() == ALERTS.keys() | {"recording"}


def expected(case: Any, alert: str) -> list[list[Any]]:
    """Return the alerts that are expected of ``case``, from the earliest time on."""
    checks = [each for each in case["alert_rule_test"] if each["alertname"] == alert]
    checks.sort(key=lambda each: parse_duration(each["eval_time"]))
    return [each["exp_alerts"] for each in checks]


def begins_with(case: Any) -> set[str]:
    """Return the names of the samples in ``case``."""
    return {each["series"].partition("{")[0] for each in case["input_series"]}


@alerts
def test_a_case_fires_and_is_over(name: str) -> None:
    found = [expected(case, name) for case in CASES[name]]
    for alert in [alert for case in found for check in case for alert in check]:
        assert alert["exp_labels"]["severity"] == ALERTS[name]["labels"]["severity"]
        assert alert["exp_annotations"].keys() == ALERTS[name]["annotations"].keys()
    assert any(before and not after for case in found for before, after in pairwise(case))


@alerts
def test_a_case_has_series_and_does_not_fire(name: str) -> None:
    read = samples_of(ALERTS[name]["expr"])
    assert any(begins_with(case) & read and not any(expected(case, name)) for case in CASES[name])


@alerts
def test_a_case_has_no_series(name: str) -> None:
    read = samples_of(ALERTS[name]["expr"])
    without = [case for case in CASES[name] if not begins_with(case) & read]
    found = [check for case in without for check in expected(case, name)]
    assert found
    assert any(found) == (name == ABSENT)


@alerts
def test_a_case_has_two_replicas(name: str) -> None:
    fires_in = [case for case in CASES[name] if any(expected(case, name))]
    labels = {
        label
        for case in fires_in
        for check in expected(case, name)
        for alert in check
        for label in alert["exp_labels"]
    }
    if "organization" not in labels:
        assert name == ABSENT or "instance" in labels
        return
    assert not labels & {"instance", "pod"}
    series = [" ".join(each["series"] for each in case["input_series"]) for case in fires_in]
    assert any('pod="a"' in each and 'pod="b"' in each for each in series)


@pytest.mark.parametrize(
    "metric", [catalogue.THRESHOLD, catalogue.QUOTA_LIMIT, catalogue.STALE_AFTER]
)
def test_a_case_has_another_limit(metric: catalogue.Metric) -> None:
    names = [
        name
        for name, rule in ALERTS.items()
        if metric.name in samples_of(rule["expr"])
        or metric.name in rule["annotations"]["description"]
    ]
    assert names
    for name in names:
        values = [
            re.findall(r"(?<![x\d])\d+", str(each["values"]))
            for case in CASES[name]
            for each in case["input_series"]
            if each["series"].startswith(metric.name)
        ]
        assert len({value for each in values for value in each}) > 1, name


@recorded
def test_a_recorded_series_changes_and_is_missing_without_input(name: str) -> None:
    there: list[Any] = []
    missing: list[Any] = []
    for case in CASES["recording"]:
        for check in case["promql_expr_test"]:
            if check["expr"].partition("{")[0] == name:
                (there if case["input_series"] else missing).append(check["exp_samples"])
    assert any(there)
    assert any(before != after for before, after in pairwise(there))
    assert missing == [[]]


# Conventions


@alerts
def test_an_alert_is_as_the_field_writes_it(name: str) -> None:
    alert, annotations = ALERTS[name], ALERTS[name]["annotations"]
    assert re.fullmatch(r"ConfluentApiKeys([A-Z][a-z]*)+", name)
    assert alert["labels"].keys() == {"severity"}
    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    assert parse_duration(alert["for"]) >= parse_duration("10m")  # two refreshes
    assert annotations.keys() == {"summary", "description", "runbook_url"}
    assert re.fullmatch(r"[A-Z][^.{}\n]*\.", annotations["summary"])
    assert re.fullmatch(r"\S.*\.", annotations["description"])
    assert ("{{" in annotations["description"]) == (name != ABSENT)


@alerts
def test_an_alert_leads_to_its_runbook(name: str) -> None:
    page = f"docs/runbooks/{name}.md"
    assert ALERTS[name]["annotations"]["runbook_url"] == f"{PROJECT_URL}/{page}"
    assert (ROOT / page).is_file()


@recorded
def test_a_recorded_series_is_named_level_metric_operation(name: str) -> None:
    level, metric, operation = name.split(":")
    label = f"({'|'.join(labels_of(name))})"
    assert re.fullmatch(rf"quota|{label}(_{label})*", level)
    assert any(sample.startswith(metric) for sample in samples_of(RECORDED[name]))
    assert re.fullmatch(r"max|sum|ratio|increase\d+h|ratio_rate\d+m", operation)


# For the Prometheus Operator


def test_the_resource_is_written_from_the_rules() -> None:
    written = (FOLDER / "prometheus-rule.yaml").read_bytes()
    assert written == prometheus_rule().encode(), "run: python -m prometheus"


def test_the_resource_has_the_groups_of_both_files(tmp_path: Path) -> None:
    resource = yaml.safe_load((FOLDER / "prometheus-rule.yaml").read_text())
    kind = "monitoring.coreos.com/v1", "PrometheusRule"
    assert (resource["apiVersion"], resource["kind"]) == kind
    groups = resource["spec"]["groups"]
    assert json.dumps(groups) == json.dumps(GROUPS)  # also in the order of the keys
    plain = tmp_path / "rules.yml"
    plain.write_text(yaml.safe_dump({"groups": groups}))
    promtool("check", "rules", str(plain))


def test_the_resource_is_read_as_the_files_are() -> None:
    lines = [line.strip() for line in prometheus_rule().splitlines()]
    assert lines[0] == "# Generated from prometheus/rules by: python -m prometheus"
    assert lines.count("expr: |") == sum("\n" in rule["expr"] for rule in RULES)
    for rule in RULES:
        assert all(line.strip() in lines for line in rule["expr"].splitlines()[1:])
    ends = [line for line in lines if line.endswith((".", ".'"))]
    assert len(ends) == 2 * len(ALERTS)  # each text stands in one line
