"""What a tile shows where two replicas expose given series: its colour, 0 and no data."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.grafana.boards import BOARDS, PANELS
from tests.programs import program

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86_400.0
NOW = 600.0
"""Unix time at which promtool is asked: it starts at 0."""
KEY_UP = 'confluent_cloud_up{organization="%s", collector="api_keys"}'
LISTED = (
    'confluent_cloud_exporter_last_success_timestamp_seconds{organization="%s",'
    ' collector="api_keys"}'
)
STALE = 'confluent_cloud_exporter_stale_after_seconds{organization="%s", collector="api_keys"}'
KEY_COUNT = 'confluent_cloud_organization_api_keys{organization="%s"}'
OLDEST = (
    "confluent_cloud_owner_oldest_api_key_created_timestamp_seconds"
    '{organization="acme", owner_id="sa-1", owner_kind="service-account"}'
)
LIMIT = 'confluent_cloud_api_key_policy_threshold_seconds{organization="%s", policy="max_age"}'
FINDINGS = (
    'confluent_cloud_api_key_policy_violations{organization="%s", policy="max_age",'
    ' owner_id="%s", owner_kind="%s"}'
)


def assert_answers(
    tmp_path: Path, title: str, series: dict[str, float], expected: dict[str, float]
) -> None:
    """Ask what the panel asks while two replicas expose ``series``; compare by query."""
    values = {"__rate_interval": "5m", "__range": "5m", "environment": ".*"}
    inputs = [
        {
            "series": name.replace("{", f'{{job="exporter", instance="{replica}", '),
            "values": f"{value}x10",
        }
        for name, value in series.items()
        for replica in ("a", "b")
    ]
    questions = [
        {
            "expr": re.sub(r"\$(\w+)", lambda name: values.get(name[1], ".+"), target["expr"]),
            "eval_time": f"{NOW:.0f}s",
            "exp_samples": [
                {"labels": "{}", "value": expected[letter]}
                for letter in (target["refId"],)
                if letter in expected
            ],
        }
        for target in PANELS[title]["targets"]
    ]
    case = {"interval": "1m", "input_series": inputs, "promql_expr_test": questions}
    file = tmp_path / "case.yml"
    file.write_text(json.dumps({"rule_files": [], "tests": [case]}))
    done = subprocess.run(
        [program("promtool"), "test", "rules", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def organization(
    name: str, *, up: int, listed: float | None, stale_after: float
) -> dict[str, float]:
    series = {KEY_UP % name: float(up), STALE % name: stale_after}
    return series if listed is None else series | {LISTED % name: listed}


RED, ORANGE, GREEN = "A", "B", "C"
"""The queries of the data age, by the colour they have."""


@pytest.mark.parametrize(
    ("organizations", "expected"),
    [
        pytest.param(
            [organization("acme", up=1, listed=NOW - 20, stale_after=90)],
            {GREEN: 20.0},
            id="fresh",
        ),
        pytest.param(
            [organization("acme", up=0, listed=NOW - 50, stale_after=90)],
            {ORANGE: 50.0},
            id="failing",
        ),
        pytest.param(
            [organization("acme", up=0, listed=NOW - 200, stale_after=90)],
            {RED: 200.0},
            id="stale",
        ),
        pytest.param(
            [
                organization("slow", up=1, listed=NOW - 300, stale_after=900),
                organization("quick", up=0, listed=NOW - 100, stale_after=90),
            ],
            {RED: 300.0},
            id="stale by its own limit, though another is older",
        ),
        pytest.param(
            [
                organization("acme", up=1, listed=NOW - 20, stale_after=90),
                organization("new", up=0, listed=None, stale_after=90),
            ],
            {ORANGE: 20.0},
            id="one was never listed",
        ),
        pytest.param(
            [organization("new", up=0, listed=None, stale_after=90)],
            {},
            id="only one and never listed",
        ),
    ],
)
@pytest.mark.parametrize("name", BOARDS)
def test_the_data_age_has_one_colour(
    tmp_path: Path, name: str, organizations: list[dict[str, float]], expected: dict[str, float]
) -> None:
    series = {key: value for each in organizations for key, value in each.items()}
    assert_answers(tmp_path, f"{name}: Data age", series, expected)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param({("acme", "sa-1", "service-account"): 3.0}, "A", id="red with findings"),
        pytest.param({("acme", "", ""): 0.0}, "B", id="green without"),
        pytest.param({}, "C", id="blue where the policy is off"),
        pytest.param(
            {("acme", "", ""): 0.0, ("globex", "sa-2", "service-account"): 1.0},
            "A",
            id="red if any organization has findings",
        ),
    ],
)
def test_the_oldest_key_has_one_colour(
    tmp_path: Path, found: dict[tuple[str, str, str], float], expected: str
) -> None:
    series = {FINDINGS % where: count for where, count in found.items()}
    panel = "api-keys.json: Oldest key"
    assert_answers(tmp_path, panel, {**series, OLDEST: NOW - 432.0}, {expected: 432.0 / DAY})


def test_replicas_are_not_added_up(tmp_path: Path) -> None:
    series = {KEY_COUNT % "acme": 12.0, KEY_COUNT % "globex": 30.0}
    assert_answers(tmp_path, "api-keys.json: Keys", series, {"A": 42.0})


@pytest.mark.parametrize("name", BOARDS)
@pytest.mark.parametrize(("up", "failing"), [(1, 0.0), (0, 1.0)])
def test_no_failing_organization_is_0(tmp_path: Path, name: str, up: int, failing: float) -> None:
    series = organization("acme", up=1, listed=NOW, stale_after=90)
    series |= organization("globex", up=up, listed=NOW, stale_after=90)
    assert_answers(tmp_path, f"{name}: Organizations failing", series, {"A": failing})


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Keys", {"A": 0.0}),
        ("Owners", {"A": 0.0}),
        ("Oldest key", {}),
        ("Next expiry", {}),
        ("Age distribution", dict.fromkeys("ABCDEFGHI", 0.0)),
        ("Rotation backlog", dict.fromkeys("ABCD", 0.0)),
        ("Findings by policy", {"A": 0.0}),
        ("Expired and still listed", {}),
    ],
)
def test_an_organization_without_keys_has_none_rather_than_no_data(
    tmp_path: Path, title: str, expected: dict[str, float]
) -> None:
    limit = (
        'confluent_cloud_api_key_policy_threshold_seconds{organization="acme", policy="max_age"}'
    )
    series = {KEY_COUNT % "acme": 0.0, FINDINGS % ("acme", "", ""): 0.0, limit: 90 * 86_400.0}
    assert_answers(tmp_path, f"api-keys.json: {title}", series, expected)


def test_findings_of_a_kind_of_owner_without_any_are_0(tmp_path: Path) -> None:
    """As for an organization whose only findings are another kind's: the policy is on."""
    series = {FINDINGS % ("acme", "", ""): 0.0}
    assert_answers(tmp_path, "api-keys.json: Findings by policy", series, {"A": 0.0})


def test_a_key_is_in_one_band_of_age_however_the_bounds_are_spelled(tmp_path: Path) -> None:
    def buckets(spell: dict[int, str]) -> dict[str, float]:
        days = {1: 1.0, 7: 3.0, 30: 6.0, 60: 10.0, 90: 15.0, 180: 21.0, 365: 28.0, 730: 36.0}
        labels = 'organization="acme", owner_kind="user"'
        name = "confluent_cloud_api_keys_age_seconds"
        return {
            f'{name}_bucket{{{labels}, le="{spell.get(day, day * 86_400)}"}}': count
            for day, count in days.items()
        } | {f"{name}_gcount{{{labels}}}": 45.0}

    expected = dict(zip("ABCDEFGHI", map(float, range(1, 10)), strict=True))
    exposed = {1: "86400.0", 7: "604800.0", 30: "2.592e+06", 60: "5.184e+06", 90: "7.776e+06"}
    exposed |= {180: "1.5552e+07", 365: "3.1536e+07", 730: "6.3072e+07"}
    for spelling in (exposed, {}):
        series = buckets(spelling)
        assert_answers(tmp_path, "api-keys.json: Age distribution", series, expected)


def test_a_share_takes_the_counted_usage_where_the_api_reports_none(tmp_path: Path) -> None:
    at = (
        '{organization="acme", quota_id="%s", scope="organization", owner_id="",'
        ' environment_id="", resource_id=""}'
    )
    series = {
        "confluent_cloud_quota_limit" + at % "a": 10.0,
        "confluent_cloud_quota_usage" + at % "a": 4.0,
        "confluent_cloud_quota_counted_usage" + at % "a": 9.0,
        "confluent_cloud_quota_limit" + at % "b": 10.0,
        "confluent_cloud_quota_counted_usage" + at % "b": 7.0,
        "confluent_cloud_quota_limit" + at % "none": 0.0,
        "confluent_cloud_quota_usage" + at % "none": 1.0,
    }
    assert_answers(tmp_path, "api-keys.json: Nearest quota", series, {"A": 0.7})
