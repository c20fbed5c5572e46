"""The rules and alerts: proven by promtool's own tests, and written as the conventions want."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter.config.durations import parse_duration
from exporter.exposition import catalogue
from monitoring.prometheus_rule import prometheus_rule
from tests.programs import ROOT
from tests.prometheus import rule_files
from tests.prometheus.rule_files import (
    ADDED,
    ALERTS,
    EXPOSED,
    FOLDER,
    GROUPS,
    RECORDED,
    RULES,
    grouped_by,
    labels_of,
    promtool,
    samples_of,
    selectors,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

ABSENT = "ConfluentApiKeysExporterAbsent"
"""The one alert that is about there being no series."""
OF_A_JOB = {ABSENT, "ConfluentApiKeysShardsMissing", "ConfluentApiKeysShardingMismatch"}
"""Alerts about all exporters of a job together."""
CASES = ROOT / "tests" / "prometheus" / "rules"
FILES = sorted(CASES.glob("*.yml"))

alerts = pytest.mark.parametrize("name", ALERTS)
recorded = pytest.mark.parametrize("name", RECORDED)
files = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


@cache
def cases_of(name: str) -> list[Any]:
    """Return the cases in the file ``name``: the name of an alert, or ``recording``."""
    found: list[Any] = yaml.safe_load((CASES / f"{name}.yml").read_text())["tests"]
    return found


@pytest.mark.integration
def test_promtool_accepts_the_rules() -> None:
    promtool("check", "rules", *rule_files.FILES)


@pytest.mark.integration
@files
def test_promtool_proves(file: Path, tmp_path: Path) -> None:
    """Without the alerts that no case asks for, whose evaluation takes most of the time."""
    checks = [check for case in cases_of(file.stem) for check in case.get("alert_rule_test", ())]
    named = {check["alertname"] for check in checks}
    kept = [
        group | {"rules": [rule for rule in group["rules"] if rule.get("alert") in {None, *named}]}
        for group in GROUPS
    ]
    rules = tmp_path / "rules.yml"
    rules.write_text(yaml.safe_dump({"groups": [group for group in kept if group["rules"]]}))
    text, changed = re.subn(
        r"(?m)^rule_files: \[\.\./\.\./\.\./prometheus/rules/confluent-api-keys\.\*\.yml\]$",
        f"rule_files: [{rules.name}]",
        file.read_text(),
    )
    assert changed == 1
    cases = tmp_path / file.name
    cases.write_text(text)
    promtool("test", "rules", cases)


# What an expression speaks of


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
    """Yield every expression, also those inside of labels and annotations, each once."""
    for rule in RULES:
        yield rule["expr"]
    templates = [
        text
        for rule in RULES
        for part in ("labels", "annotations")
        for text in rule.get(part, {}).values()
    ]
    queries = [
        query for text in templates for query in re.findall(r'printf "(.*?)"[^|}]*\| query', text)
    ]
    for query in dict.fromkeys(queries):
        yield query.replace("%q", '""')


@pytest.mark.parametrize("expression", [*expressions()])
def test_an_expression_speaks_of_what_there_is(expression: str) -> None:
    found = selectors(expression)
    assert found
    assert found.keys() <= EXPOSED.keys() | RECORDED.keys()
    for name, labels in found.items():
        assert labels <= labels_of(name)
    assert grouped_by(expression) <= {label for name in found for label in labels_of(name)} | ADDED


@pytest.mark.parametrize("expression", [*expressions()])
def test_an_expression_reads_no_histogram_which_prometheus_may_convert(expression: str) -> None:
    """With ``convert_classic_histograms_to_nhcb`` the series of its parts do not exist."""
    parts = {
        metric.name + suffix
        for section in catalogue.CATALOGUE
        for metric in section.metrics
        for suffix in rule_files.SUFFIXES.get(metric.type, ())
    }
    assert len(parts) == 9
    assert not samples_of(expression) & parts


@files
def test_the_cases_have_series_as_they_are_exposed(file: Path) -> None:
    for case in cases_of(file.stem):
        for each in case["input_series"]:
            ((name, labels),) = selectors(each["series"]).items()
            assert EXPOSED[name] - {"pod"} <= labels <= EXPOSED[name] | {"cluster"}, each


# What there is to prove of each


def test_every_alert_has_its_cases() -> None:
    assert {file.stem for file in FILES} == ALERTS.keys() | {"recording"}


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
    found = [expected(case, name) for case in cases_of(name)]
    for alert in [alert for case in found for check in case for alert in check]:
        assert alert["exp_labels"]["severity"] == ALERTS[name]["labels"]["severity"]
        assert alert["exp_annotations"].keys() == ALERTS[name]["annotations"].keys()
    assert any(before and not after for case in found for before, after in pairwise(case))


@alerts
def test_a_case_has_series_and_does_not_fire(name: str) -> None:
    read = samples_of(ALERTS[name]["expr"])
    with_series = [case for case in cases_of(name) if begins_with(case) & read]
    assert any(not any(expected(case, name)) for case in with_series)


@alerts
def test_a_case_has_no_series(name: str) -> None:
    read = samples_of(ALERTS[name]["expr"])
    without = [case for case in cases_of(name) if not begins_with(case) & read]
    found = [check for case in without for check in expected(case, name)]
    assert found
    assert any(found) == (name == ABSENT)


@alerts
def test_a_case_has_two_replicas(name: str) -> None:
    fires_in = [case for case in cases_of(name) if any(expected(case, name))]
    labels = {
        label
        for case in fires_in
        for check in expected(case, name)
        for alert in check
        for label in alert["exp_labels"]
    }
    if "organization" not in labels:
        assert ("instance" in labels) == (name not in OF_A_JOB)
        return
    assert not labels & {"instance", "pod"}
    series = [" ".join(each["series"] for each in case["input_series"]) for case in fires_in]
    assert any('pod="a"' in each and 'pod="b"' in each for each in series)


@dataclass(frozen=True)
class World:
    """One organization in a case: what is known of it, with which limits, and what is expected."""

    data: frozenset[tuple[str, str]]
    limits: frozenset[tuple[str, str]]
    expected: Mapping[str, str]
    """What is alerted, by the time at which it is looked for."""

    def differs_from(self, other: World) -> bool:
        times = self.expected.keys() & other.expected.keys()
        return any(self.expected[at] != other.expected[at] for at in times)


_ORGANIZATION = r'organization="([^"]*)"'


def worlds(case: Any, alert: str, limit: str) -> Iterator[World]:
    """Yield the organizations of ``case`` with their names taken out."""
    series = [(each["series"], str(each["values"])) for each in case["input_series"]]
    for organization in {name for each, _ in series for name in re.findall(_ORGANIZATION, each)}:
        own = {
            (each.replace(organization, "…"), values)
            for each, values in series
            if organization in re.findall(_ORGANIZATION, each)
        }
        limits = {each for each in own if each[0].startswith(limit + "{")}
        yield World(
            data=frozenset(own - limits),
            limits=frozenset(limits),
            expected={
                check["eval_time"]: json.dumps(
                    [
                        each
                        for each in check["exp_alerts"]
                        if each["exp_labels"].get("organization") == organization
                    ]
                ).replace(organization, "…")
                for check in case["alert_rule_test"]
                if check["alertname"] == alert
            },
        )


LIMITED = [
    (metric.name, name)
    for metric in (catalogue.THRESHOLD, catalogue.QUOTA_LIMIT, catalogue.STALE_AFTER)
    for name, rule in ALERTS.items()
    if metric.name in samples_of(rule["expr"]) or metric.name in rule["annotations"]["description"]
]
"""Each limit that is exposed with each alert that speaks of it."""


def test_every_limit_is_that_of_an_alert() -> None:
    assert len({limit for limit, _ in LIMITED}) == 3


@pytest.mark.parametrize(("limit", "name"), LIMITED)
def test_the_same_data_has_another_outcome_with_another_limit(limit: str, name: str) -> None:
    several = [world for case in cases_of(name) for world in worlds(case, name, limit)]
    found = [world for world in several if world.limits]
    assert any(
        one.data == other.data and one.limits != other.limits and one.differs_from(other)
        for one, other in combinations(found, 2)
    )


@recorded
def test_a_recorded_series_changes_and_is_missing_without_input(name: str) -> None:
    there: list[Any] = []
    missing: list[Any] = []
    for case in cases_of("recording"):
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
    about_one_owner = "owner_id" in labels_of(alert["expr"])
    assert alert["labels"].keys() == {"severity"} | ({"team"} if about_one_owner else set())
    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    assert parse_duration(alert["for"]) >= parse_duration("10m")  # two refreshes
    linked = annotations.keys() & {"keys_url", "dashboard_url"}
    assert len(linked) in {0, 2}
    assert annotations.keys() - linked == {"summary", "description", "runbook_url"}
    assert re.fullmatch(r"[A-Z][^.{}\n]*\.", annotations["summary"])
    assert re.fullmatch(r"\S.*\.", annotations["description"])
    assert ("{{" in annotations["description"]) == (name != ABSENT)


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
    assert written == prometheus_rule().encode(), "run: make monitoring"


@pytest.mark.integration
def test_the_resource_has_the_groups_of_both_files(tmp_path: Path) -> None:
    resource = yaml.safe_load((FOLDER / "prometheus-rule.yaml").read_text())
    kind = "monitoring.coreos.com/v1", "PrometheusRule"
    assert (resource["apiVersion"], resource["kind"]) == kind
    groups = resource["spec"]["groups"]
    assert json.dumps(groups) == json.dumps(GROUPS)  # also in the order of the keys
    plain = tmp_path / "rules.yml"
    plain.write_text(yaml.safe_dump({"groups": groups}))
    promtool("check", "rules", plain)


def test_the_resource_is_read_as_the_files_are() -> None:
    lines = [line.strip() for line in prometheus_rule().splitlines()]
    assert lines[0] == "# Generated from prometheus/rules by: make monitoring"
    assert lines.count("expr: |") == sum("\n" in rule["expr"] for rule in RULES)
    for rule in RULES:
        assert all(line.strip() in lines for line in rule["expr"].splitlines()[1:])
    ends = [line for line in lines[2:] if line.endswith((".", ".'"))]
    assert len(ends) == 2 * len(ALERTS)  # each text stands in one line
