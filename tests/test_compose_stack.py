"""The services of ``compose.yaml`` together, without a container engine.

The real commands run with the same arguments, environments and files. Only addresses are replaced
by free local ones, and paths by the mounted files.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.compose_file import (
    EXPORTER_CONFIG,
    EXTERNAL_URL,
    LOGIN,
    PROMETHEUS_CONFIG,
    SERVICES,
    command,
    found_by,
    mounts,
)
from tests.programs import EXPORTER, ROOT, eventually, free_address, is_ready, program, started
from tests.prometheus.alertmanager import Alertmanager
from tests.prometheus.rule_files import in_a_hurry
from tests.prometheus.server import Prometheus

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = pytest.mark.integration


@dataclass(frozen=True)
class Stack:
    """The services on this machine: their addresses, and copies of the mounted files."""

    simulator: str
    exporter: str
    prometheus: str
    alertmanager: str
    folder: Path

    def command(self, service: str) -> list[str]:
        """Return the arguments of ``service`` with local paths and addresses."""
        given = [self._here(service, each) for each in command(service)]
        listen = f"--web.listen-address={getattr(self, service)}"
        return given if service == "simulator" else [*given, listen]

    def _here(self, service: str, argument: str) -> str:
        name, _, value = argument.partition("=")
        if value.startswith("/"):
            return f"{name}={found_by(service, value, root=self.folder)}"
        return argument.replace("127.0.0.1:8089", self.simulator)

    def is_healthy(self) -> bool:
        """Whether the simulator's health check succeeds."""
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


def status(url: str, user: tuple[str, str] | None = None) -> int:
    """Return the status of the answer to ``user``, a name and a password."""
    return httpx.get(url, auth=user, trust_env=False).status_code


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    """Return the services, not yet started, on free ports; alert rules have no ``for``."""
    simulator, exporter, prometheus, alertmanager = (free_address() for _ in range(4))
    free = Stack(simulator, exporter, prometheus, alertmanager, tmp_path)
    for service in ("exporter", "prometheus", "alertmanager"):
        for mount in mounts(service):
            if not mount.is_volume:
                shutil.copytree(ROOT / mount.source, tmp_path / mount.source)
    replace_once(
        tmp_path / EXPORTER_CONFIG.relative_to(ROOT),
        {
            "\n  url: http://127.0.0.1:8089": f"\n  url: http://{free.simulator}",
            "usage: { enabled: true, url: http://127.0.0.1:8089": "usage: { enabled: true,"
            f" url: http://{free.simulator}",
        },
    )
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
        path.write_text(in_a_hurry(path.read_text()))
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
        old = alerts.gets("ConfluentApiKeysPastMaxAge", organization="acme")
        keys_url = old.annotations["keys_url"]
        assert keys_url == f"{EXTERNAL_URL}/keys?organization=acme&policy=max_age&sort=-age"

        # Without the user that Prometheus scrapes with, nothing but the probes is served.
        for url in (f"{EXTERNAL_URL}/metrics", keys_url):
            here = url.replace(EXTERNAL_URL, f"http://{stack.exporter}")
            assert status(here) == 401
            assert status(here, (LOGIN["username"], LOGIN["password"])) == 200
        prometheus.becomes("count(count by (team) (confluent_cloud_owner_team_info))", 3)
        unused = alerts.gets("ConfluentApiKeysUnused", organization="acme")
        assert unused.annotations["keys_url"].endswith("/keys?organization=acme&policy=unused_for")

        failing = alerts.gets(
            "ConfluentApiKeysRefreshFailing",
            organization="globex-without-role",
            collector="api_keys",
        )
        assert failing.labels["job"] == "confluent-api-keys"
    assert "level=warn" not in (tmp_path / "alertmanager.log").read_text()
