"""What panels show for given series of two replicas: color, zero and missing data."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.grafana.boards import BOARDS, PANELS
from tests.programs import program
from tests.prometheus.rule_files import FILES as RULE_FILES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import TypeAlias

    Value: TypeAlias = float | tuple[float, float]
    Exposed: TypeAlias = dict[str, Value]

pytestmark = pytest.mark.integration

DAY = 86_400.0
NOW = 600.0
"""Unix time of the queries. The series of promtool start at 0."""
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


def assert_answers(tmp_path: Path, title: str, series: Exposed, expected: dict[str, float]) -> None:
    """Run the queries of the panel while two replicas expose ``series``; compare by query.

    A pair of values is what the one and what the other of them says.
    """
    shown = {ref: {"{}": value} for ref, value in expected.items()}
    refs = [target["refId"] for target in PANELS[title]["targets"]]
    assert_shown(tmp_path, title, exposed(series), {ref: shown.get(ref, {}) for ref in refs})


def exposed(series: Exposed) -> dict[str, str]:
    """Return promtool's input for constant ``series`` of two replicas."""
    return {
        _of(name, replica): f"{each}x10"
        for name, value in series.items()
        for replica, each in zip(
            ("a", "b"), value if isinstance(value, tuple) else (value, value), strict=True
        )
    }


def _of(name: str, replica: str) -> str:
    return name.replace("{", f'{{job="exporter", instance="{replica}", ')


def assert_shown(
    tmp_path: Path,
    title: str,
    inputs: dict[str, str],
    expected: dict[str, dict[str, float]],
    *,
    interval: str = "1m",
    at: str = f"{NOW:.0f}s",
    rule_files: Sequence[Path] = (),
) -> None:
    """Run some queries of the panel, by letter, after ``inputs``; compare by labels."""
    values = {"__rate_interval": "5m", "__range": "5m", "environment": ".*"}
    asked = {target["refId"]: target["expr"] for target in PANELS[title]["targets"]}
    questions = [
        {
            "expr": re.sub(r"\$(\w+)", lambda name: values.get(name[1], ".+"), asked[ref]),
            "eval_time": at,
            "exp_samples": [{"labels": labels, "value": value} for labels, value in shown.items()],
        }
        for ref, shown in expected.items()
    ]
    series = [{"series": name, "values": each} for name, each in inputs.items()]
    case = {"interval": interval, "input_series": series, "promql_expr_test": questions}
    file = tmp_path / "case.yml"
    rules = [str(each) for each in rule_files]
    file.write_text(json.dumps({"rule_files": rules, "evaluation_interval": "1m", "tests": [case]}))
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
"""The queries of Data age, by color."""


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
            {RED: 100.0},
            id="stale by its own limit, though another is older",
        ),
        pytest.param(
            [
                organization("slow", up=1, listed=NOW - 300, stale_after=900),
                organization("quick", up=0, listed=NOW - 50, stale_after=90),
            ],
            {ORANGE: 50.0},
            id="failing, though another is older",
        ),
        pytest.param(
            [
                organization("acme", up=1, listed=NOW - 20, stale_after=90),
                organization("new", up=0, listed=None, stale_after=90),
            ],
            {RED: -1.0},
            id="one was never listed",
        ),
        pytest.param(
            [organization("new", up=0, listed=None, stale_after=90)],
            {RED: -1.0},
            id="only one and never listed",
        ),
    ],
)
@pytest.mark.parametrize("name", BOARDS)
def test_the_data_age_has_exactly_one_color(
    tmp_path: Path, name: str, organizations: list[dict[str, float]], expected: dict[str, float]
) -> None:
    series: Exposed = {key: value for each in organizations for key, value in each.items()}
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
def test_the_oldest_key_has_exactly_one_color(
    tmp_path: Path, found: dict[tuple[str, str, str], float], expected: str
) -> None:
    series: Exposed = {FINDINGS % where: count for where, count in found.items()}
    panel = "api-keys.json: Oldest key"
    assert_answers(tmp_path, panel, {**series, OLDEST: NOW - 432.0}, {expected: 432.0 / DAY})


def test_replicas_are_not_summed(tmp_path: Path) -> None:
    series: Exposed = {KEY_COUNT % "acme": 12.0, KEY_COUNT % "globex": 30.0}
    assert_answers(tmp_path, "api-keys.json: Keys", series, {"A": 42.0})


@pytest.mark.parametrize("name", BOARDS)
@pytest.mark.parametrize(("up", "failing"), [(1, 0.0), (0, 1.0)])
def test_no_failing_organization_is_0(tmp_path: Path, name: str, up: int, failing: float) -> None:
    series: Exposed = {**organization("acme", up=1, listed=NOW, stale_after=90)}
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
    ],
)
def test_an_organization_without_keys_shows_zero_and_not_missing_data(
    tmp_path: Path, title: str, expected: dict[str, float]
) -> None:
    limit = (
        'confluent_cloud_api_key_policy_threshold_seconds{organization="acme", policy="max_age"}'
    )
    series: Exposed = {
        KEY_COUNT % "acme": 0.0,
        FINDINGS % ("acme", "", ""): 0.0,
        limit: 90 * 86_400.0,
    }
    assert_answers(tmp_path, f"api-keys.json: {title}", series, expected)


def test_an_owner_kind_without_findings_shows_zero(tmp_path: Path) -> None:
    """Even if all findings belong to other owner kinds: the policy is on."""
    series: Exposed = {FINDINGS % ("acme", "", ""): 0.0}
    assert_answers(tmp_path, "api-keys.json: Findings by policy", series, {"A": 0.0})


def test_a_key_is_in_one_age_band_for_every_spelling_of_the_bounds(tmp_path: Path) -> None:
    def buckets(spell: dict[int, str]) -> Exposed:
        days = {1: 1.0, 7: 3.0, 30: 6.0, 60: 10.0, 90: 15.0, 180: 21.0, 365: 28.0, 730: 36.0}
        labels = 'organization="acme", owner_kind="user"'
        name = "confluent_cloud_api_keys_age_seconds"
        found: Exposed = {
            f'{name}_bucket{{{labels}, le="{spell.get(day, day * 86_400)}"}}': count
            for day, count in days.items()
        }
        return found | {f"{name}_gcount{{{labels}}}": 45.0}

    expected = dict(zip("ABCDEFGHI", map(float, range(1, 10)), strict=True))
    exposed = {1: "86400.0", 7: "604800.0", 30: "2.592e+06", 60: "5.184e+06", 90: "7.776e+06"}
    exposed |= {180: "1.5552e+07", 365: "3.1536e+07", 730: "6.3072e+07"}
    for spelling in (exposed, {}):
        series = buckets(spelling)
        assert_answers(tmp_path, "api-keys.json: Age distribution", series, expected)


def test_a_share_uses_the_counted_usage_if_the_api_reports_none(tmp_path: Path) -> None:
    at = (
        '{organization="acme", quota_id="%s", scope="organization", owner_id="",'
        ' environment_id="", resource_id=""}'
    )
    series: Exposed = {
        "confluent_cloud_quota_limit" + at % "a": 10.0,
        "confluent_cloud_quota_usage" + at % "a": 4.0,
        "confluent_cloud_quota_counted_usage" + at % "a": 9.0,
        "confluent_cloud_quota_limit" + at % "b": 10.0,
        "confluent_cloud_quota_counted_usage" + at % "b": 7.0,
        "confluent_cloud_quota_limit" + at % "none": 0.0,
        "confluent_cloud_quota_usage" + at % "none": 1.0,
    }
    assert_answers(tmp_path, "api-keys.json: Fullest quota", series, {"A": 0.7})


@pytest.mark.parametrize("name", BOARDS)
def test_an_organization_fails_if_one_replica_fails(tmp_path: Path, name: str) -> None:
    """Like the alert, although the keys of the other replica are shown."""
    series: Exposed = {KEY_UP % "acme": (1.0, 0.0), LISTED % "acme": (NOW - 20, NOW - 50)}
    series |= {STALE % "acme": 90.0}
    assert_answers(tmp_path, f"{name}: Organizations failing", series, {"A": 1.0})
    assert_answers(tmp_path, f"{name}: Data age", series, {ORANGE: 20.0})


OWNER = '{organization="%s", owner_id="%s", owner_kind="%s"}'
EXPIRING = (
    'confluent_cloud_api_key_policy_violations{organization="%s", policy="expires_within",'
    ' owner_id="%s", owner_kind="%s"}'
)
NOT_EVALUATED = UNKNOWN = -1.0
OWNERS = [
    ("acme", "sa-1", "service-account"),  # has a finding
    ("acme", "sa-2", "service-account"),  # is exempt
    ("acme", "", "internal"),
    ("lenient", "sa-3", "service-account"),  # has no policy
]


def test_expiries_are_evaluated_by_findings(tmp_path: Path) -> None:
    """All expire within the policy's duration, but only one is a finding."""
    expiry = "confluent_cloud_owner_next_api_key_expiry_timestamp_seconds"
    series: Exposed = {expiry + OWNER % owner: NOW + DAY for owner in OWNERS}
    series |= {EXPIRING % ("acme", "", ""): 0.0, EXPIRING % OWNERS[0]: 2.0}
    threshold = LIMIT.replace("max_age", "expires_within")
    series |= {threshold % "acme": 14 * DAY}
    values = dict(zip(OWNERS, (1.0, 0.0, NOT_EVALUATED, NOT_EVALUATED), strict=True))
    shown = {OWNER % owner: value for owner, value in values.items()}
    shown = {labels.replace('owner_id="", ', ""): value for labels, value in shown.items()}
    assert_shown(tmp_path, "api-keys.json: Upcoming expiries", exposed(series), {"B": shown})


def test_no_findings_and_not_evaluated_are_different(tmp_path: Path) -> None:
    keys = "confluent_cloud_owner_api_keys"
    series: Exposed = {keys + OWNER % owner: 3.0 for owner in OWNERS}
    series |= {FINDINGS % ("acme", "", ""): 0.0, FINDINGS % OWNERS[0]: 2.0}
    values = dict(zip(OWNERS, (2.0, 0.0, NOT_EVALUATED, NOT_EVALUATED), strict=True))
    shown = {OWNER % owner: value for owner, value in values.items()}
    shown = {labels.replace('owner_id="", ', ""): value for labels, value in shown.items()}
    title = "api-keys.json: Owners with the most keys"
    assert_shown(tmp_path, title, exposed(series), {"D": shown})


QUOTA = (
    '{organization="acme", quota_id="q", scope="organization", owner_id="", environment_id="",'
    ' resource_id=""}'
)
_A_QUOTA = '{organization="acme", quota_id="q", scope="organization"}'


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        # 1 per hour throughout: 168 more in a week, and 240 left at 24 per day.
        pytest.param("0+1x95", "_x96 96+1x96", {"D": 360.0, "E": 10.0}, id="grows on"),
        # 40 keys within four days, all but 10 deleted: the trend of the week falls.
        pytest.param("0+0.4x95", "_x96 10x96", {"D": 0.0, "E": 365.0}, id="was relieved"),
        pytest.param("", "_x180 10+1x12", {"D": UNKNOWN, "E": UNKNOWN}, id="known for half a day"),
    ],
)
def test_the_trend_of_a_quota_spans_all_pods(
    tmp_path: Path, before: str, after: str, expected: dict[str, float]
) -> None:
    """The pod is replaced after four of eight days."""
    usage, limit = "confluent_cloud_quota_usage" + QUOTA, "confluent_cloud_quota_limit" + QUOTA
    pods = {"a": before, "b": after}
    inputs = {_of(usage, pod): values for pod, values in pods.items() if values}
    inputs |= {_of(limit, "b"): "432x192"}
    shown = {ref: {_A_QUOTA: value} for ref, value in expected.items()}
    title = "api-keys.json: Fullest quotas"
    assert_shown(tmp_path, title, inputs, shown, interval="1h", at="192h")


def test_a_full_quota_is_full_now(tmp_path: Path) -> None:
    usage, limit = "confluent_cloud_quota_usage" + QUOTA, "confluent_cloud_quota_limit" + QUOTA
    inputs = {_of(usage, "a"): "10x192", _of(limit, "a"): "10x192"}
    title = "api-keys.json: Fullest quotas"
    assert_shown(tmp_path, title, inputs, {"E": {_A_QUOTA: 0.0}}, interval="1h", at="192h")


def test_the_firing_alerts_are_those_of_the_rules(tmp_path: Path) -> None:
    """Most severe first, including alerts without an organization, excluding pending ones."""
    inputs = {
        'up{job="confluent-api-keys", instance="down"}': "0x60",
        'up{job="confluent-api-keys", instance="up"}': "1x60",
        _of(KEY_UP % "acme", "a"): "0x60",
        _of('confluent_cloud_up{organization="acme", collector="names"}', "a"): "0x60",
        _of('confluent_cloud_up{organization="pending", collector="names"}', "a"): "1x50 0x10",
        _of('confluent_cloud_exporter_collapsed_pairs{organization="acme"}', "a"): "5x60",
    }
    down = '{alertname="ConfluentApiKeysExporterDown"}'
    failing = '{alertname="ConfluentApiKeysRefreshFailing", organization="acme"}'
    collapsed = '{alertname="ConfluentApiKeysPairsCollapsed", organization="acme"}'
    shown = {
        "A": {down: 3.0, failing: 2.0, collapsed: 1.0},
        "B": {down: 1.0, failing: 2.0, collapsed: 1.0},
        "C": dict.fromkeys((down, failing, collapsed), 3600.0),
    }
    for name in BOARDS:
        assert_shown(
            tmp_path, f"{name}: Firing alerts", inputs, shown, at="60m", rule_files=RULE_FILES
        )


def test_an_unknown_severity_ranks_lowest(tmp_path: Path) -> None:
    rule = {"alert": "ConfluentApiKeysOfMine", "expr": "up == 0", "labels": {"severity": "page"}}
    file = tmp_path / "mine.yml"
    file.write_text(json.dumps({"groups": [{"name": "mine", "rules": [rule]}]}))
    shown = {'{alertname="ConfluentApiKeysOfMine"}': 0.0}
    inputs = {'up{job="exporter", instance="a"}': "0x10"}
    title = "api-keys.json: Firing alerts"
    assert_shown(tmp_path, title, inputs, {"A": shown}, rule_files=[file])


BUILD = 'confluent_cloud_exporter_build_info{version="1", python_version="3"}'


def test_an_exporter_that_is_down_for_longer_than_the_time_range_counts_as_down(
    tmp_path: Path,
) -> None:
    """Other programs are not counted."""
    inputs = {
        _of(BUILD, "a"): "1x40",
        _of(BUILD, "b"): "1x10 stale",
        'up{job="exporter", instance="a"}': "1x40",
        'up{job="exporter", instance="b"}': "1x10 0x29",
        'up{job="other", instance="c"}': "0x40",
    }
    title = "exporter-health.json: Exporters down"
    assert_shown(tmp_path, title, inputs, {"A": {"{}": 1.0}}, at="40m")
    shown = {
        '{job="exporter", instance="a"}': 1.0,
        '{job="exporter", instance="b"}': 0.0,
    }
    assert_shown(tmp_path, "exporter-health.json: Exporters", inputs, {"E": shown}, at="40m")


def test_the_collectors_show_failures_and_their_reasons(tmp_path: Path) -> None:
    def labels(organization_: str, collector: str) -> str:
        return f'{{organization="{organization_}", collector="{collector}"}}'

    up, listed, stale = (name.partition("{")[0] for name in (KEY_UP, LISTED, STALE))
    failing = "confluent_cloud_exporter_refresh_failing"
    states: dict[str, tuple[Value, float | None, float | None]] = {
        # Whether it is up, when it last succeeded, and when its data becomes stale.
        labels("good", "api_keys"): (1.0, NOW - 20, 90.0),
        labels("good", "names"): (1.0, NOW - 500, None),
        labels("half", "api_keys"): ((1.0, 0.0), NOW - 20, 90.0),
        labels("old", "api_keys"): (0.0, NOW - 200, 90.0),
        labels("never", "quotas"): (0.0, None, 90.0),
        labels("never", "names"): (0.0, None, None),
    }
    series: Exposed = {}
    for where, (is_up, at, limit) in states.items():
        series[up + where] = is_up
        series |= {} if at is None else {listed + where: at}
        series |= {} if limit is None else {stale + where: limit}
    for collector, values in (("api_keys", (0.0, 1.0)), ("names", (0.0, 0.0))):
        why = labels("half", collector).replace("}", ', reason="forbidden"}')
        series[failing + why] = values
    expected = {
        "A": dict(zip(states, (2.0, 2.0, 1.0, 0.0, 0.0, 1.0), strict=True)),
        "E": {'{organization="half", collector="api_keys", reason="forbidden"}': 1.0},
    }
    assert_shown(tmp_path, "exporter-health.json: Collectors", exposed(series), expected)


@pytest.mark.parametrize(
    ("failing", "expected"), [(True, 0.25), (False, 0.0)], ids=["some fail", "none fails"]
)
def test_failed_requests_shows_the_worst_organization(
    tmp_path: Path, *, failing: bool, expected: float
) -> None:
    sent = 'confluent_cloud_api_request_duration_seconds_count{organization="%s", endpoint="/x"}'
    failed = 'confluent_cloud_api_request_failures_total{organization="%s", endpoint="/x"}'
    inputs = {
        _of(name, replica): values
        for replica in ("a", "b")
        for name, values in (
            (sent % "large", "0+100x60"),
            (sent % "small", "0+4x60"),
            (failed % "small", "0+1x60"),
            (sent % "rare", "_x40 0x10 1x10"),
            (failed % "rare", "_x40 0x10 1x10"),
        )
        if failing or name != failed % "small"
    }
    title = "exporter-health.json: Failed requests"
    assert_shown(tmp_path, title, inputs, {"A": {"{}": expected}}, at="60m")


def test_old_responses_do_not_count_for_the_rate_limit(tmp_path: Path) -> None:
    name = "confluent_cloud_api_rate_limit_"
    at = '{organization="acme", endpoint="%s"}'
    inputs = {
        _of(f"{name}{part}{at % endpoint}", "a"): f"{value}x60"
        for endpoint, left, heard in (("/new", 60, 3000), ("/old", 6, 1000))
        for part, value in (
            ("remaining", left),
            ("limit", 120),
            ("observed_timestamp_seconds", heard),
        )
    }
    inputs[_of(STALE % "acme", "a")] = "900x60"
    title = "exporter-health.json: Rate limit left"
    assert_shown(tmp_path, title, inputs, {"A": {"{}": 0.5}}, at="60m")


def test_pairs_are_shown_if_some_are_collapsed(tmp_path: Path) -> None:
    name = "confluent_cloud_exporter_collapsed_pairs"
    series: Exposed = {
        f'{name}{{organization="{each}"}}': n for each, n in (("a", 0.0), ("b", 7.0))
    }
    title = "exporter-health.json: Collapsed pairs and unreadable items"
    assert_shown(
        tmp_path, title, exposed(series), {"A": {'{organization="b", job="exporter"}': 7.0}}
    )
