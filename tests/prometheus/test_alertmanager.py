"""Alertmanager routes and inhibits the alerts as configured."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.compose_file import ALERTMANAGER_CONFIG, read_yaml
from tests.programs import TIMEOUT, program
from tests.prometheus.alertmanager import (
    TEAMS_CONFIG,
    Alertmanager,
    Notification,
    alertmanager,
    notified,
    post,
)
from tests.prometheus.rule_files import ALERTS, labels_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = [
    pytest.mark.integration,
    pytest.mark.xdist_group("alertmanager"),  # one server for all of them
]


def amtool(*arguments: str | Path) -> str:
    return subprocess.run(
        [program("amtool"), *arguments], capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize("config", [ALERTMANAGER_CONFIG, TEAMS_CONFIG], ids=lambda file: file.name)
def test_alertmanager_finds_its_configuration_valid(config: Path) -> None:
    assert "SUCCESS" in amtool("check-config", config)


def test_the_routes_by_team_fit_the_inhibitions(tmp_path: Path) -> None:
    """As its comment says: the rest of the configuration remains as it is."""
    copy = tmp_path / "alertmanager.yml"
    copy.write_text(json.dumps(read_yaml(ALERTMANAGER_CONFIG) | read_yaml(TEAMS_CONFIG)))
    told = amtool("check-config", copy)
    assert "- 6 inhibit rules" in told
    assert "- 2 receivers" in told


def test_the_receivers_in_its_comment_are_valid(tmp_path: Path) -> None:
    text, copy = ALERTMANAGER_CONFIG.read_text(), tmp_path / "alertmanager.yml"
    example = "".join(re.findall(r"^# (  .*\n)", text, re.MULTILINE))
    silent = "".join(f"  - name: {each}\n" for each in ("page", "ticket", "note"))
    assert silent in text
    copy.write_text(text.replace(silent, example))
    assert "- 3 receivers" in amtool("check-config", copy)
    names = [each["name"] for each in read_yaml(copy)["receivers"] if len(each) > 1]
    assert names == ["page", "ticket", "note"]


@pytest.mark.parametrize(
    ("severity", "receiver"),
    [("critical", "page"), ("warning", "ticket"), ("info", "note"), ("unrecognized", "ticket")],
)
def test_an_alert_goes_where_its_severity_says(severity: str, receiver: str) -> None:
    where = f"--config.file={ALERTMANAGER_CONFIG}"
    assert amtool("config", "routes", "test", where, f"severity={severity}").split() == [receiver]


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (["team=payments"], "payments"),
        (["team=payments", "severity=critical"], "payments"),
        (["team=core"], "platform"),
        (["severity=critical"], "platform"),
    ],
)
def test_an_alert_goes_to_its_team(labels: list[str], receiver: str) -> None:
    where = f"--config.file={TEAMS_CONFIG}"
    assert amtool("config", "routes", "test", where, *labels).split() == [receiver]


def test_every_severity_of_our_alerts_has_a_route() -> None:
    routes = read_yaml(ALERTMANAGER_CONFIG)["route"]["routes"]
    severities = {each["labels"]["severity"] for each in ALERTS.values()}
    assert {f'severity="{each}"' for each in severities} == {
        matcher for route in routes for matcher in route["matchers"]
    }


def test_inhibitions_are_about_alerts_and_labels_that_exist() -> None:
    for rule in read_yaml(ALERTMANAGER_CONFIG)["inhibit_rules"]:
        assert rule.keys() == {"source_matchers", "target_matchers", "equal"}
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            (pattern,) = re.fullmatch(r'alertname=~?"([\w|]+)"', matcher).groups()  # type: ignore[union-attr] # None is a failure too
            for name in pattern.split("|"):
                there = labels_of(ALERTS[name]["expr"])
                assert {"job"} <= set(rule["equal"]) <= there
                assert "organization" in rule["equal"] or "organization" not in there


QUOTA = {
    "quota_id": "iam.max_cloud_api_keys.per_user",
    "scope": "USER",
    "owner_id": "u-1",
    "environment_id": "",
    "resource_id": "",
}
STALE = {"collector": "api_keys"}


@pytest.fixture(scope="module")
def mounted_alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    with alertmanager(ALERTMANAGER_CONFIG, tmp_path_factory.mktemp("alertmanager")) as server:
        yield server


@pytest.mark.parametrize(
    ("source", "target", "more", "distinct"),
    [
        ("CredentialsRejected", "RefreshFailing", STALE, "organization"),
        ("CredentialsRejected", "DataStale", STALE, "organization"),
        ("CredentialsRejected", "HighFailureRatio", {}, "organization"),
        ("RoleLost", "RefreshFailing", STALE, "organization"),
        ("RoleLost", "DataStale", STALE, "organization"),
        ("RoleLost", "HighFailureRatio", {}, "job"),
        ("DataStale", "RefreshFailing", STALE, "collector"),
        ("ExporterDown", "ShardsMissing", {}, "job"),
        ("VisibilityDropped", "InventoryCollapsed", {}, "organization"),
        ("QuotaCritical", "QuotaHigh", QUOTA, "owner_id"),
        ("QuotaCritical", "QuotaFullWithinAWeek", QUOTA, "quota_id"),
        ("QuotaHigh", "QuotaFullWithinAWeek", QUOTA, "resource_id"),
    ],
)
def test_the_cause_silences_its_effect_and_no_other(
    source: str,
    target: str,
    more: Mapping[str, str],
    distinct: str,
    mounted_alertmanager: Alertmanager,
) -> None:
    here = {"job": "confluent-api-keys", "organization": f"{source}-{target}", **more}
    elsewhere = here | {distinct: f"another-{source}-{target}"}
    source, target = f"ConfluentApiKeys{source}", f"ConfluentApiKeys{target}"
    alerts = [(source, here), (target, here), (target, elsewhere)]
    post(mounted_alertmanager, *({"alertname": name, **each} for name, each in alerts))
    given = [mounted_alertmanager.gets(name, **each).inhibited for name, each in alerts]
    assert given == [False, True, False]


@pytest.mark.parametrize(
    ("name", "distinct"),
    [("NewCloudOrGlobalKey", "api_key_id"), ("ExpiringVerySoon", "owner_id")],
)
def test_each_of_several_notifies_while_the_others_fire(
    name: str, distinct: str, tmp_path: Path
) -> None:
    name = f"ConfluentApiKeys{name}"
    labels = {label: "the same" for label in labels_of(ALERTS[name]["expr"]) if label != distinct}
    labels |= {"alertname": name, "severity": ALERTS[name]["labels"]["severity"]}
    alerts = [{**labels, distinct: f"the {number}th"} for number in range(1, 4)]
    assert distinct in labels_of(ALERTS[name]["expr"])
    with notified(tmp_path, ALERTMANAGER_CONFIG) as (server, notifications):
        for number, alert in enumerate(alerts, 1):
            post(server, *alerts[:number])
            told = notifications.get(timeout=TIMEOUT)
            statuses = {each[distinct]: status for each, status in told.alerts}
            assert statuses[alert[distinct]] == "firing"
        post(server, *alerts, ended=True)
        firing = {each[distinct] for each in alerts}
        while firing:  # until it is told of the end of each, or nothing more
            told = notifications.get(timeout=TIMEOUT)
            firing -= {each[distinct] for each, status in told.alerts if status == "resolved"}


VERY_SOON = "ConfluentApiKeysExpiringVerySoon"


def owned(owner: str, team: str | None) -> dict[str, str]:
    """Return the labels of the alert about ``owner``, whose team may be unknown."""
    usual = {"job": "confluent-api-keys", "organization": "acme", "severity": "critical"}
    of_team = {} if team is None else {"team": team}
    return {"alertname": VERY_SOON, "owner_id": owner, "owner_kind": "user", **usual, **of_team}


@pytest.mark.parametrize(
    ("config", "receivers"),
    [
        (ALERTMANAGER_CONFIG, ["page", "page", "page", "page", "page"]),
        (TEAMS_CONFIG, ["payments", "platform", "platform", "payments", "platform"]),
    ],
    ids=["by severity", "by team"],
)
def test_a_new_owner_notifies_its_receiver_and_no_owner_notifies_again(
    config: Path, receivers: list[str], tmp_path: Path
) -> None:
    alerts = [
        owned("sa-1", "payments"),
        owned("sa-2", "core"),
        owned("sa-3", None),
        owned("sa-4", "payments"),
        owned('sa-"5"{{ .Labels }}\n', 'co"re"\n{{ end }}'),
    ]
    with notified(tmp_path, config) as (server, notifications):
        for number, (alert, receiver) in enumerate(zip(alerts, receivers, strict=True), 1):
            post(server, *alerts[:number])
            expected = Notification(receiver, [(alert, "firing")])
            assert notifications.get(timeout=TIMEOUT) == expected

        # Meanwhile the owners' groups are looked at again: those of the other alerts take as long.
        others = [{"alertname": "Other", "number": str(number)} for number in range(1, 5)]
        for number in range(1, 5):
            post(server, *alerts, *others[:number])
            told = notifications.get(timeout=TIMEOUT)
            assert {each["alertname"] for each, _ in told.alerts} == {"Other"}
            assert len(told.alerts) == number
