"""Alertmanager routes and inhibits the alerts as configured."""

from __future__ import annotations

import json
import re
import subprocess
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Thread
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

import pytest

from tests.compose_file import ALERTMANAGER_CONFIG, read_yaml
from tests.programs import TIMEOUT, program
from tests.prometheus.alertmanager import Alertmanager, alertmanager
from tests.prometheus.rule_files import ALERTS, labels_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = [
    pytest.mark.integration,
    pytest.mark.xdist_group("alertmanager"),  # one server for all of them
]


Notification = list[tuple[dict[str, str], str]]
"""Labels and status of each alert in it."""


def amtool(*arguments: str | Path) -> str:
    return subprocess.run(
        [program("amtool"), *arguments], capture_output=True, text=True, check=True
    ).stdout


def test_alertmanager_finds_its_configuration_valid() -> None:
    assert "SUCCESS" in amtool("check-config", ALERTMANAGER_CONFIG)


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
                assert {"job", "organization"} <= set(rule["equal"]) <= there


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


def post(server: Alertmanager, *alerts: Mapping[str, str], ended: bool = False) -> None:
    """Tell ``server`` the labels of ``alerts``, as Prometheus does at every evaluation."""
    times = {"startsAt": "2026-01-01T00:00:00Z", "endsAt": "2026-01-01T00:00:01Z"} if ended else {}
    body = [{"labels": each, **times} for each in alerts]
    request = Request(
        f"http://{server.address}/api/v2/alerts",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urlopen(request):  # noqa: S310 # our own http URL
        pass


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
    with notified(tmp_path) as (server, notifications):
        for number, alert in enumerate(alerts, 1):
            post(server, *alerts[:number])
            told = notifications.get(timeout=TIMEOUT)
            assert {each[distinct]: status for each, status in told}[alert[distinct]] == "firing"
        post(server, *alerts, ended=True)
        firing = {each[distinct] for each in alerts}
        while firing:  # until it is told of the end of each, or nothing more
            told = notifications.get(timeout=TIMEOUT)
            firing -= {each[distinct] for each, status in told if status == "resolved"}


@contextmanager
def notified(folder: Path) -> Iterator[tuple[Alertmanager, Queue[Notification]]]:
    """Run our Alertmanager in a hurry; yield it and what every receiver is told, in order."""
    told: Queue[Notification] = Queue()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the name that the library calls
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told.put([(each["labels"], each["status"]) for each in body["alerts"]])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as receiver:
        thread = Thread(target=receiver.serve_forever)
        thread.start()
        hook = f"    webhook_configs: [{{url: 'http://127.0.0.1:{receiver.server_port}'}}]\n"
        text = ALERTMANAGER_CONFIG.read_text()
        for pattern, instead in (
            (r"group_wait: 30s", "group_wait: 1ms"),
            (r"group_interval: 5m", "group_interval: 100ms"),
            (r"(?m)^(  - name: \w+\n)", rf"\1{hook}"),
        ):
            text, changed = re.subn(pattern, instead, text)
            assert changed
        config = folder / "alertmanager.yml"
        config.write_text(text)
        try:
            with alertmanager(config, folder) as server:
                yield server, told
        finally:
            receiver.shutdown()
            thread.join()
