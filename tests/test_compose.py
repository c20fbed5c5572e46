"""``compose.yaml`` and the files of its containers, checked without a container engine."""

from __future__ import annotations

import fnmatch
import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import bcrypt
import pytest

from exporter import config
from exporter.cli import arguments
from exporter.cli.simulation import ADMIN, OWNER, WITHOUT_ROLE
from exporter.simulator import seeded_organization
from tests.compose_file import (
    COMPOSE,
    DATASOURCES,
    ENVIRON,
    EXPORTER_CONFIG,
    EXTERNAL_URL,
    LOGIN,
    PROMETHEUS_CONFIG,
    PROVIDERS,
    SERVICES,
    TRIAL_IMAGE,
    WEB_CONFIG,
    command,
    found_by,
    mounts,
    read_yaml,
)
from tests.programs import ROOT, run
from tests.prometheus.rule_files import ALERTS, promtool
from tests.virtual_time import EPOCH

if TYPE_CHECKING:
    from pathlib import Path


def dashboards() -> dict[str, Any]:
    """Return the dashboards that Grafana's provisioning finds, by uid."""
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


@pytest.mark.integration
def test_the_file_conforms_to_the_compose_specification() -> None:
    done = check_schema(COMPOSE)
    assert done.returncode == 0, done.stdout


@pytest.mark.integration
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("cap_drop: [ALL]", "cap_drop: ALL"),
        ("network_mode: ", "network_moed: "),
        ("condition: service_healthy", "condition: service_happy"),
        ("\nvolumes:", "\nvolume:"),
    ],
)
def test_the_compose_schema_rejects_errors(right: str, wrong: str, tmp_path: Path) -> None:
    broken = tmp_path / "compose.yaml"
    broken.write_text(COMPOSE.read_text().replace(right, wrong))
    done = check_schema(broken)
    assert done.returncode == 1
    assert wrong.partition(":")[0].strip() in done.stdout


def test_the_file_contains_all_services() -> None:
    assert set(SERVICES) == {"simulator", "exporter", "prometheus", "alertmanager", "grafana"}


@pytest.mark.parametrize("service", SERVICES)
def test_images_are_pinned_or_built_locally(service: str) -> None:
    image, builds = SERVICES[service]["image"], SERVICES[service].get("build")
    if image == TRIAL_IMAGE:
        # Never looked up in a registry.
        assert (builds, SERVICES[service]["pull_policy"]) in {(".", "build"), (None, "never")}
        assert [each.get("build") for each in SERVICES.values()].count(".") == 1
    else:
        assert builds is None
        assert re.fullmatch(r"[a-z]+/[a-z]+:v?\d+\.\d+\.\d+@sha256:[0-9a-f]{64}", image)


@pytest.mark.parametrize("service", SERVICES)
def test_services_run_with_minimal_privileges(service: str) -> None:
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
def test_repository_folders_are_mounted_read_only(service: str) -> None:
    for mount in mounts(service):
        if mount.is_volume:
            assert mount.mode == ""
        else:
            assert mount.mode == "ro"
            assert re.fullmatch(r"\./[\w/-]+", mount.source)
            assert (ROOT / mount.source).is_dir()


@pytest.mark.parametrize("service", SERVICES)
def test_ports_are_published_on_the_loopback_interface_only(service: str) -> None:
    for port in SERVICES[service].get("ports", ()):
        assert re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port)


def test_services_that_share_a_network_are_restarted_with_its_owner() -> None:
    exporter, simulator = SERVICES["exporter"], SERVICES["simulator"]
    assert exporter["network_mode"] == "service:simulator"
    assert exporter["depends_on"] == {
        "simulator": {"condition": "service_healthy", "restart": True}
    }
    # If the engine restarted only the owner, the other service would lose its network.
    assert not any("restart" in each for each in SERVICES.values())
    # The owner defines these.
    assert not exporter.keys() & {"ports", "networks", "extra_hosts", "dns"}
    assert simulator["ports"] == [f"127.0.0.1:{arguments.DEFAULT_PORT}:{arguments.DEFAULT_PORT}"]


def test_every_host_name_is_a_service() -> None:
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
    # Each service listens on the port that is published.
    published = [port for each in SERVICES.values() for port in each.get("ports", ())]
    assert {each.partition(":")[2] for each in asked} <= {each.split(":")[2] for each in published}


# Files that the containers read


def test_the_exporter_is_configured_for_the_simulator() -> None:
    options = arguments.parse(command("simulator"))
    assert options.command == "simulate"
    (address,) = options.web_listen_addresses
    loaded = config.load(EXPORTER_CONFIG, environ=ENVIRON)
    assert [each.name for each in loaded.organizations] == ["acme", "globex-without-role"]
    urls = {url for each in loaded.organizations for url in (each.url, each.usage.url)}
    assert urls == {f"http://{address}"}
    assert tuple(ENVIRON.values()) == (*ADMIN, *WITHOUT_ROLE)


def test_every_team_has_owners() -> None:
    options = arguments.parse(command("simulator"))
    organization = seeded_organization(seed=options.seed, keys=options.keys, now=EPOCH)
    owners = {OWNER, *(key.owner.id for key in organization.keys.values() if key.owner)}
    acme, _ = config.load(EXPORTER_CONFIG, environ=ENVIRON).organizations
    for team in acme.teams:
        for pattern in team.owners:
            assert fnmatch.filter(owners, pattern), (team.name, pattern)


@pytest.mark.integration
def test_the_exporter_accepts_its_configuration() -> None:
    files = (f"--config.file={EXPORTER_CONFIG}", f"--web.config.file={WEB_CONFIG}")
    done = run("run", "--config.check", *files, environ=ENVIRON, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert ": valid, 2 organizations\n" in done.stdout


@pytest.mark.integration
def test_prometheus_finds_the_web_configuration_of_the_exporter_valid() -> None:
    promtool("check", "web-config", WEB_CONFIG)


def test_prometheus_scrapes_with_the_user_that_the_comment_names() -> None:
    name, password = LOGIN["username"], LOGIN["password"]
    ((user, hashed),) = read_yaml(WEB_CONFIG)["basic_auth_users"].items()
    assert user == name
    assert bcrypt.checkpw(password.encode(), hashed.encode())
    assert f"user {name}, password {password}," in COMPOSE.read_text()
    assert WEB_CONFIG.relative_to(ROOT).as_posix() in COMPOSE.read_text()


def test_alerts_link_to_the_published_port_of_the_exporter() -> None:
    options = arguments.parse(command("exporter"))
    assert options.web_inventory
    (published,) = SERVICES["simulator"]["ports"]
    address, _, port = published.rpartition(":")
    assert f"http://{address}" == EXTERNAL_URL
    assert port == str(arguments.DEFAULT_PORT)
    assert "--web.external-url=http://127.0.0.1:${EXPORTER_PORT:-10049}\n" in COMPOSE.read_text()


@pytest.mark.integration
def test_prometheus_accepts_its_configuration_and_all_rules() -> None:
    said = promtool("check", "config", PROMETHEUS_CONFIG)
    rules = sorted((ROOT / "prometheus" / "rules").glob("*.yml"))
    assert len(rules) >= 2
    for each in rules:
        assert f"Checking {each}\n" in said


def test_the_job_name_matches_the_alert_rules() -> None:
    (job,) = read_yaml(PROMETHEUS_CONFIG)["scrape_configs"]
    expressions = " ".join(rule["expr"] for rule in ALERTS.values())
    (pattern,) = set(re.findall(r'up\{job=~"([^"]+)"', expressions))
    assert re.fullmatch(pattern, job["job_name"])


def test_grafanas_default_data_source_is_the_stacks_prometheus() -> None:
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


def test_grafana_provisions_every_dashboard() -> None:
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


def test_grafana_shows_a_dashboard_to_anonymous_users() -> None:
    environment = SERVICES["grafana"]["environment"]
    assert environment["GF_AUTH_ANONYMOUS_ENABLED"] == "true"
    assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    home = urlsplit(environment["GF_USERS_HOME_PAGE"])
    assert home.path.removeprefix("/d/") in dashboards()
    assert parse_qs(home.query) == {"from": ["now-1h"], "to": ["now"]}
    assert "/var/lib/grafana" in SERVICES["grafana"]["tmpfs"]
