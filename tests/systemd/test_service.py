"""The unit as systemd runs it: sandbox, credentials, reload and metrics."""

from __future__ import annotations

import re
import sys
from base64 import b64encode
from typing import TYPE_CHECKING

import bcrypt
import pytest

from tests.programs import eventually
from tests.systemd.machine import LOG, SIMULATOR, Machine, booted
from tests.systemd.unit_files import CONFIGURATION, NAME, SERVICE, copy_of, value

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("systemd")]

METRICS = "http://127.0.0.1:10049/metrics"
CREDENTIALS = value("LoadCredential").partition(":")[2]
CONFIG_FILE = f"/etc/{value('ConfigurationDirectory')}/config.yaml"
WEB_CONFIG_FILE = f"/etc/{value('ConfigurationDirectory')}/web.yaml"
PASSWORD = b"password"
AUTHORIZATION = f"Basic {b64encode(b'prometheus:' + PASSWORD).decode()}"
SECRET = "simulated-secret-of-an-organization-admin\n"
PROCESS_METRICS = {
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_virtual_memory_bytes",
}


def configuration() -> str:
    """Return the example with usage, for the simulator."""
    text = re.sub(r"^( +)#(?=\S)", r"\1", CONFIGURATION.read_text(), flags=re.MULTILINE)
    text = text.replace("- name: acme\n", f"- name: acme\n    url: {SIMULATOR}\n")
    return text.replace("enabled: true\n", f"enabled: true\n      url: {SIMULATOR}\n")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine on which the steps of docs/systemd.md were executed."""
    with booted(tmp_path_factory.mktemp("machine")) as machine:
        machine.output("systemctl", "start", "simulator.service")
        eventually(lambda: is_listening(machine, SIMULATOR), what="the simulator listens")
        machine.output("systemd-sysusers", f"{NAME}.conf")
        machine.output("systemd-tmpfiles", "--create", f"{NAME}.conf")
        machine.write(f"{CREDENTIALS}/acme_key", "SIMULATEDADMIN01\n")
        machine.write(f"{CREDENTIALS}/acme_secret", SECRET)
        machine.write(CONFIG_FILE, configuration(), "-m", "644")
        hashed = bcrypt.hashpw(PASSWORD, bcrypt.gensalt(4)).decode()
        users = f"basic_auth_users: {{prometheus: {hashed}}}\n"
        machine.write(WEB_CONFIG_FILE, users, "-m", "640", "-g", value("Group"))
        flags = f"--web.config.file={WEB_CONFIG_FILE}"
        machine.write(value("EnvironmentFile").lstrip("-"), f'ARGS="{flags}"\n')
        machine.output("systemctl", "start", SERVICE.name)
        yield machine


def is_listening(machine: Machine, url: str) -> bool:
    """Whether something accepts connections at ``url``."""
    code = "import sys, urllib.parse as p, socket as s; u = p.urlsplit(sys.argv[1])"
    connect = f"{code}; s.create_connection((u.hostname, u.port)).close()"
    return machine.run(sys.executable, "-c", connect, url).returncode == 0


def metrics(machine: Machine) -> dict[str, str]:
    """Return the values of the series."""
    lines = machine.get(METRICS, authorization=AUTHORIZATION).splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if line and line[0] != "#")


def status(machine: Machine) -> dict[str, str]:
    """Return what the kernel knows about the process of the exporter."""
    text = machine.output("cat", f"/proc/{machine.show('MainPID').strip()}/status")
    return {
        name: rest.strip() for name, _, rest in (line.partition(":") for line in text.splitlines())
    }


def test_every_collector_succeeds_in_the_sandbox(machine: Machine) -> None:
    def up() -> list[str]:
        return [
            each
            for name, each in metrics(machine).items()
            if name.startswith("confluent_cloud_up{")
        ]

    eventually(lambda: up() == ["1.0"] * 4, what=f"success: {machine.output('cat', LOG)}")
    state = machine.output(
        "stat", "--format=%U %a", f"/var/lib/{value('StateDirectory')}/acme.json"
    )
    assert state == f"{value('User')} 600\n"


def test_the_metrics_of_the_process_are_there(machine: Machine) -> None:
    assert set(metrics(machine)) >= PROCESS_METRICS


def test_the_process_has_no_privileges(machine: Machine) -> None:
    found = status(machine)
    user = machine.output("id", "--user", value("User")).strip()
    assert found["Uid"].split() == [user] * 4
    assert {found[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {
        "0" * 16
    }
    assert (found["NoNewPrivs"], found["Seccomp"]) == ("1", "2")


def test_the_service_reads_only_copies_of_the_keys(machine: Machine) -> None:
    as_service = (
        "setpriv",
        f"--reuid={value('User')}",
        f"--regid={value('Group')}",
        "--clear-groups",
    )
    original = machine.run(*as_service, "cat", f"{CREDENTIALS}/acme_key")
    assert "Permission denied" in original.stderr
    assert machine.output(*as_service, "cat", copy_of("acme_key")) == "SIMULATEDADMIN01\n"
    assert machine.output("stat", "--format=%U %a", copy_of("acme_key")) == f"{value('User')} 400\n"


def test_a_reload_reads_the_configuration_but_not_the_credentials(machine: Machine) -> None:
    loaded = machine.output("cat", LOG).count('msg="configuration loaded"')
    process, copy = machine.show("MainPID"), machine.output("cat", copy_of("acme_secret"))
    machine.write(f"{CREDENTIALS}/acme_secret", f"{copy}\n")
    machine.output("systemctl", "reload", SERVICE.name)
    eventually(
        lambda: machine.output("cat", LOG).count('msg="configuration loaded"') > loaded,
        what="the configuration is loaded again",
    )
    assert machine.show("MainPID") == process
    assert machine.output("cat", copy_of("acme_secret")) == copy


def test_a_restart_copies_the_credentials_and_ends_when_the_exporter_is_ready(
    machine: Machine,
) -> None:
    machine.write(f"{CREDENTIALS}/acme_secret", f"{SECRET}\n\n")
    machine.output("systemctl", "stop", SERVICE.name)
    assert machine.show("Result") == "success\n"
    assert not is_listening(machine, METRICS)
    machine.output("systemctl", "start", SERVICE.name)
    assert is_listening(machine, METRICS)
    assert machine.output("cat", copy_of("acme_secret")) == f"{SECRET}\n\n"


def test_systemd_shows_the_status_of_the_exporter(machine: Machine) -> None:
    eventually(
        lambda: machine.show("StatusText").startswith("1 organization"),
        what=machine.show("StatusText"),
    )
