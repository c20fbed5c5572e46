"""``compose.yaml`` and what its containers are given, as far as it can be known without an engine.

The real commands run here too, from the same arguments, environments and files; only addresses are
free ones of this machine, and paths lead through the mounts.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

import pytest
import yaml

from exporter import config
from exporter.cli import arguments
from exporter.cli.demo import ADMIN, WITHOUT_ROLE
from exporter.exposition.catalogue import CATALOGUE
from tests.programs import EXPORTER, ROOT, eventually, free_address, is_ready, program, run, started
from tests.prometheus.alertmanager import Alertmanager, alertmanager
from tests.prometheus.server import Prometheus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

COMPOSE = ROOT / "compose.yaml"
TRIAL_IMAGE = "confluent-api-keys-exporter:trial"


def read_yaml(path: Path) -> Any:
    """Return the document at ``path`` with the defaults of the variables that it asks for."""
    return yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", path.read_text()))


DOCUMENT = read_yaml(COMPOSE)
SERVICES: dict[str, dict[str, Any]] = DOCUMENT["services"]
ENVIRON: dict[str, str] = SERVICES["exporter"]["environment"]


@dataclass(frozen=True)
class Mount:
    """One entry of ``volumes``: a folder of this repository, or a named volume."""

    source: str
    target: PurePosixPath
    mode: str

    @property
    def is_volume(self) -> bool:
        return self.source in DOCUMENT["volumes"]


def mounts(service: str) -> list[Mount]:
    entries = [each.split(":") for each in SERVICES[service].get("volumes", ())]
    return [
        Mount(source, PurePosixPath(target), ":".join(mode)) for source, target, *mode in entries
    ]


def found_by(service: str, path: str, *, root: Path = ROOT) -> Path:
    """Return what the container of ``service`` finds at ``path``, with the mounts in ``root``."""
    for mount in mounts(service):
        if PurePosixPath(path).is_relative_to(mount.target):
            return root / mount.source / PurePosixPath(path).relative_to(mount.target)
    pytest.fail(f"nothing is mounted at {path} of {service}")


def command(service: str) -> list[str]:
    """Return the arguments that ``service`` is started with: its own, or those of our image."""
    if "command" in SERVICES[service]:
        return list(SERVICES[service]["command"])
    assert SERVICES[service]["image"] == TRIAL_IMAGE
    (line,) = re.findall(r"^CMD (\[.*\])$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    return list(json.loads(line))


def flag(service: str, name: str) -> str:
    (value,) = [each.partition("=")[2] for each in command(service) if each.startswith(f"{name}=")]
    return value


PROMETHEUS_CONFIG = found_by("prometheus", flag("prometheus", "--config.file"))
ALERTMANAGER_CONFIG = found_by("alertmanager", flag("alertmanager", "--config.file"))
EXPORTER_CONFIG = found_by("exporter", flag("exporter", "--config.file"))
DATASOURCES = found_by("grafana", "/etc/grafana/provisioning/datasources")
PROVIDERS = found_by("grafana", "/etc/grafana/provisioning/dashboards")


def dashboards() -> dict[str, Any]:
    """Return the dashboards that Grafana's provider finds, by uid."""
    (path,) = PROVIDERS.iterdir()
    (provider,) = read_yaml(path)["providers"]
    found = sorted(found_by("grafana", provider["options"]["path"]).glob("*.json"))
    read = [json.loads(each.read_text()) for each in found]
    return {each["uid"]: each for each in read}


# The file itself


def check_schema(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*(sys.executable, "-m", "check_jsonschema"), "--builtin-schema=vendor.compose-spec", path],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_schema_of_the_compose_specification_accepts_it() -> None:
    done = check_schema(COMPOSE)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("cap_drop: [ALL]", "cap_drop: ALL"),
        ("network_mode: ", "network_moed: "),
        ("condition: service_healthy", "condition: service_happy"),
        ("\nvolumes:", "\nvolume:"),
    ],
)
def test_the_schema_would_refuse_a_mistake(right: str, wrong: str, tmp_path: Path) -> None:
    broken = tmp_path / "compose.yaml"
    broken.write_text(COMPOSE.read_text().replace(right, wrong))
    done = check_schema(broken)
    assert done.returncode == 1
    assert wrong.partition(":")[0].strip() in done.stdout


def test_everything_is_in_it() -> None:
    assert set(SERVICES) == {"simulator", "exporter", "prometheus", "alertmanager", "grafana"}


@pytest.mark.parametrize("service", SERVICES)
def test_images_are_pinned_or_built_here(service: str) -> None:
    image, builds = SERVICES[service]["image"], SERVICES[service].get("build")
    if image == TRIAL_IMAGE:
        # Built once, whatever was built before, and never looked for in a registry.
        assert (builds, SERVICES[service]["pull_policy"]) in {(".", "build"), (None, "never")}
        assert [each.get("build") for each in SERVICES.values()].count(".") == 1
    else:
        assert builds is None
        assert re.fullmatch(r"[a-z]+/[a-z]+:v?\d+\.\d+\.\d+", image)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_do_no_more_than_it_must(service: str) -> None:
    settings = SERVICES[service]
    assert settings["read_only"] is True
    assert settings["cap_drop"] == ["ALL"]
    assert settings["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"[1-9]\d*:\d+", settings["user"])
    assert re.fullmatch(r"\d+m", settings["mem_limit"])
    assert settings.get("network_mode", "service:simulator") == "service:simulator"
    assert not settings.keys() & {
        *("privileged", "cap_add", "devices", "device_cgroup_rules", "group_add"),
        *("pid", "ipc", "uts", "cgroup", "userns_mode", "volumes_from", "use_api_socket"),
    }


@pytest.mark.parametrize("service", SERVICES)
def test_folders_of_the_repository_are_mounted_read_only(service: str) -> None:
    for mount in mounts(service):
        if mount.is_volume:
            assert mount.mode == ""
        else:
            assert mount.mode == "ro"
            assert re.fullmatch(r"\./[\w/-]+", mount.source)
            assert (ROOT / mount.source).is_dir()


@pytest.mark.parametrize("service", SERVICES)
def test_ports_are_published_on_the_loopback_alone(service: str) -> None:
    for port in SERVICES[service].get("ports", ()):
        assert re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port)


def test_what_shares_a_network_is_restarted_with_its_owner() -> None:
    exporter, simulator = SERVICES["exporter"], SERVICES["simulator"]
    assert exporter["network_mode"] == "service:simulator"
    assert exporter["depends_on"] == {
        "simulator": {"condition": "service_healthy", "restart": True}
    }
    # The engine's own restart of the owner would leave the other without a network.
    assert not any("restart" in each for each in SERVICES.values())
    # These belong to the owner.
    assert not exporter.keys() & {"ports", "networks", "extra_hosts", "dns"}
    assert simulator["ports"] == [f"127.0.0.1:{arguments.DEFAULT_PORT}:{arguments.DEFAULT_PORT}"]


def test_names_of_hosts_can_be_resolved() -> None:
    known = {name for name, each in SERVICES.items() if "network_mode" not in each}
    known.update(SERVICES["simulator"]["networks"]["default"]["aliases"])
    prometheus, (datasources,) = read_yaml(PROMETHEUS_CONFIG), DATASOURCES.iterdir()
    groups = [
        *prometheus["alerting"]["alertmanagers"][0]["static_configs"],
        *prometheus["scrape_configs"][0]["static_configs"],
    ]
    asked = [target for group in groups for target in group["targets"]]
    asked += [urlsplit(each["url"]).netloc for each in read_yaml(datasources)["datasources"]]
    assert asked == ["alertmanager:9093", f"exporter:{arguments.DEFAULT_PORT}", "prometheus:9090"]
    assert {each.partition(":")[0] for each in asked} <= known
    # Each of them listens where its port is published.
    published = [port for each in SERVICES.values() for port in each.get("ports", ())]
    assert {each.partition(":")[2] for each in asked} <= {each.split(":")[2] for each in published}


# What the containers read


def test_the_simulator_and_the_exporter_agree() -> None:
    options = arguments.parse(command("simulator"))
    assert options.command == "simulate"
    loaded = config.load(EXPORTER_CONFIG, environ=ENVIRON)
    assert [each.name for each in loaded.organizations] == ["acme", "globex-without-role"]
    assert {each.url for each in loaded.organizations} == {f"http://{options.listen_address}"}
    assert tuple(ENVIRON.values()) == (*ADMIN, *WITHOUT_ROLE)


def test_the_exporter_finds_its_configuration_valid() -> None:
    done = run(
        "run", "--config.check", f"--config.file={EXPORTER_CONFIG}", environ=ENVIRON, cwd=ROOT
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(": valid, 2 organizations\n")


def test_prometheus_finds_its_configuration_and_every_rule_valid() -> None:
    done = subprocess.run(
        [program("promtool"), "check", "config", PROMETHEUS_CONFIG],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rules = sorted((ROOT / "prometheus" / "rules").glob("*.yml"))
    assert len(rules) >= 2
    for each in rules:
        assert f"Checking {each}\n" in done.stdout


def test_the_alerts_find_the_exporter_by_its_job() -> None:
    (job,) = read_yaml(PROMETHEUS_CONFIG)["scrape_configs"]
    alerts = (ROOT / "prometheus" / "rules" / "confluent-api-keys.alerts.yml").read_text()
    (pattern,) = set(re.findall(r'up\{job=~"([^"]+)"', alerts))
    assert re.fullmatch(pattern, job["job_name"])


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
    [("critical", "page"), ("warning", "ticket"), ("info", "note"), ("unheard-of", "ticket")],
)
def test_an_alert_goes_where_its_severity_says(severity: str, receiver: str) -> None:
    where = f"--config.file={ALERTMANAGER_CONFIG}"
    assert amtool("config", "routes", "test", where, f"severity={severity}").split() == [receiver]


def test_every_severity_of_our_alerts_has_a_route() -> None:
    routes = read_yaml(ALERTMANAGER_CONFIG)["route"]["routes"]
    severities = {each["labels"]["severity"] for each in rules("alert").values()}
    assert {f'severity="{each}"' for each in severities} == {
        matcher for route in routes for matcher in route["matchers"]
    }


def rules(kind: str) -> dict[str, dict[str, Any]]:
    """Return the rules of ``kind``, "alert" or "record", that Prometheus loads, by their names."""
    (pattern,) = read_yaml(PROMETHEUS_CONFIG)["rule_files"]
    return {
        rule[kind]: rule
        for path in PROMETHEUS_CONFIG.parent.glob(pattern)
        for group in read_yaml(path)["groups"]
        for rule in group["rules"]
        if kind in rule
    }


def labels(expression: str) -> set[str]:
    """Return labels that every series of ``expression`` has, if not always all of them."""
    known = {each.name: {"job", *each.labels} for section in CATALOGUE for each in section.metrics}
    recorded = rules("record")
    sets = [
        labels(recorded[name]["expr"]) if name in recorded else known[name]
        for name in re.findall(r"[\w:]+", expression)
        if name in recorded or name in known
    ]
    dropped = ", ".join(re.findall(r"without \(([^)]*)\)", expression)).split(", ")
    return set.intersection(*sets) - set(dropped) if sets else set()


def test_inhibitions_are_about_alerts_and_labels_that_exist() -> None:
    alerts = rules("alert")
    for rule in read_yaml(ALERTMANAGER_CONFIG)["inhibit_rules"]:
        assert rule.keys() == {"source_matchers", "target_matchers", "equal"}
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            (pattern,) = re.fullmatch(r'alertname=~?"([\w|]+)"', matcher).groups()  # type: ignore[union-attr] # None is a failure too
            for name in pattern.split("|"):
                assert {"job", "organization"} <= set(rule["equal"]) <= labels(alerts[name]["expr"])


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
        ("ExpiringVerySoon", "ExpiringSoon", {}, "organization"),
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
    body = [{"labels": {"alertname": name, **each}} for name, each in alerts]
    post = Request(
        f"http://{mounted_alertmanager.address}/api/v2/alerts",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urlopen(post):  # noqa: S310 # our own http URL
        pass
    given = [mounted_alertmanager.gets(name, **each).inhibited for name, each in alerts]
    assert given == [False, True, False]


def test_grafana_is_given_the_stack_s_prometheus_as_its_default() -> None:
    (path,) = DATASOURCES.iterdir()
    assert read_yaml(path) == {
        "apiVersion": 1,
        "datasources": [
            {
                "name": "Prometheus",
                "uid": "prometheus",
                "type": "prometheus",
                "access": "proxy",
                "url": "http://prometheus:9090",
                "isDefault": True,
                "editable": False,
                "jsonData": {
                    "httpMethod": "POST",
                    "timeInterval": read_yaml(PROMETHEUS_CONFIG)["global"]["scrape_interval"],
                },
            }
        ],
    }


def test_grafana_is_given_every_dashboard() -> None:
    (path,) = PROVIDERS.iterdir()
    document = read_yaml(path)
    assert document["apiVersion"] == 1
    (provider,) = document["providers"]
    assert provider["type"] == "file"
    assert provider["allowUiUpdates"] is False
    assert found_by("grafana", provider["options"]["path"]) == ROOT / "grafana" / "dashboards"
    assert set(dashboards()) == {"confluent-api-keys", "confluent-api-keys-health"}
    for dashboard in dashboards().values():
        variables = {each["name"]: each for each in dashboard["templating"]["list"]}
        assert variables["datasource"]["query"] == "prometheus"


def test_grafana_opens_a_dashboard_for_anybody() -> None:
    environment = SERVICES["grafana"]["environment"]
    assert environment["GF_AUTH_ANONYMOUS_ENABLED"] == "true"
    assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    home = urlsplit(environment["GF_USERS_HOME_PAGE"])
    assert home.path.removeprefix("/d/") in dashboards()
    assert parse_qs(home.query) == {"from": ["now-1h"], "to": ["now"]}
    assert "/var/lib/grafana" in SERVICES["grafana"]["tmpfs"]


# The services at work


@dataclass(frozen=True)
class Stack:
    """The services on this machine: where they listen, and copies of what is mounted."""

    simulator: str
    exporter: str
    prometheus: str
    alertmanager: str
    folder: Path

    def command(self, service: str) -> list[str]:
        """Return the arguments of ``service`` with its paths and addresses of this machine."""
        given = [self._here(service, each) for each in command(service)]
        listen = f"--web.listen-address={getattr(self, service)}"
        return given if service == "simulator" else [*given, listen]

    def _here(self, service: str, argument: str) -> str:
        name, _, value = argument.partition("=")
        if value.startswith("/"):
            return f"{name}={found_by(service, value, root=self.folder)}"
        return argument.replace("127.0.0.1:8089", self.simulator)

    def is_healthy(self) -> bool:
        """Whether the engine would find the simulator so."""
        kind, interpreter, *rest = SERVICES["simulator"]["healthcheck"]["test"]
        assert (kind, interpreter) == ("CMD", "python3")
        port = self.simulator.rpartition(":")[2]
        check = [sys.executable, *(each.replace("8089", port) for each in rest)]
        return subprocess.run(check, capture_output=True, check=False).returncode == 0


def replace_once(path: Path, changes: Mapping[str, str]) -> None:
    text = path.read_text()
    for old, new in changes.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    path.write_text(text)


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    """The services, ready to be started, on ports that are free; the rules do not wait."""
    simulator, exporter, prometheus, alertmanager = (free_address() for _ in range(4))
    free = Stack(simulator, exporter, prometheus, alertmanager, tmp_path)
    for service in ("exporter", "prometheus", "alertmanager"):
        for mount in mounts(service):
            if not mount.is_volume:
                shutil.copytree(ROOT / mount.source, tmp_path / mount.source)
    replace_once(tmp_path / EXPORTER_CONFIG.relative_to(ROOT), {"127.0.0.1:8089": free.simulator})
    replace_once(
        tmp_path / PROMETHEUS_CONFIG.relative_to(ROOT),
        {
            "exporter:10049": free.exporter,
            "alertmanager:9093": free.alertmanager,
            "scrape_interval: 15s": "scrape_interval: 1s",
            "evaluation_interval: 15s": "evaluation_interval: 1s",
        },
    )
    for path in (tmp_path / "prometheus" / "rules").glob("*.yml"):
        path.write_text(re.sub(r"\n( +)for: \w+\n", r"\n\1for: 1s\n", path.read_text()))
    return free


def test_the_services_work_together(stack: Stack, tmp_path: Path) -> None:
    programs = {
        "simulator": EXPORTER,
        "exporter": EXPORTER,
        "alertmanager": (program("prometheus-alertmanager"),),
        "prometheus": (program("prometheus"),),
    }
    with ExitStack() as running:

        def start(service: str) -> None:
            log = tmp_path / f"{service}.log"
            environ = SERVICES[service].get("environment")
            begun = started(*programs[service], *stack.command(service), log=log, environ=environ)
            running.enter_context(begun)

        assert not stack.is_healthy()
        start("simulator")
        eventually(stack.is_healthy, what="the simulator is healthy")
        for service in ("exporter", "alertmanager", "prometheus"):
            start(service)
        for service in ("exporter", "alertmanager", "prometheus"):
            address = getattr(stack, service)
            eventually(partial(is_ready, address), what=f"{service} is ready")

        prometheus = Prometheus(f"http://{stack.prometheus}")
        prometheus.becomes('up{job="confluent-api-keys"}', 1)
        prometheus.becomes('confluent_cloud_up{organization="acme",collector="api_keys"}', 1)
        prometheus.becomes(
            'confluent_cloud_organization_api_keys{organization="acme"} > bool 1000', 1
        )
        alerts = Alertmanager(stack.alertmanager)
        alerts.gets("ConfluentApiKeysPastMaxAge", organization="acme")
        failing = alerts.gets(
            "ConfluentApiKeysRefreshFailing",
            organization="globex-without-role",
            collector="api_keys",
        )
        assert failing.labels["job"] == "confluent-api-keys"
    assert "level=warn" not in (tmp_path / "alertmanager.log").read_text()
