"""The README and docs/monitoring.md show what the project does."""

from __future__ import annotations

import json
import re
import shlex
import signal
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest
import yaml

from exporter import config
from exporter.config.web_config import load_web_config
from exporter.simulator import FAULTS
from tests.markdown import code_blocks
from tests.programs import EXPORTER, ROOT, printed, run, started
from tests.prometheus.rule_files import promtool
from tests.web.certificates import Authority

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

README = (ROOT / "README.md").read_text()
WEB = (ROOT / "docs" / "web.md").read_text()
MONITORING = (ROOT / "docs" / "monitoring.md").read_text()
ENVIRON = {
    "CONFLUENT_CLOUD_API_KEY": "SIMULATEDADMIN01",
    "CONFLUENT_CLOUD_API_SECRET": "simulated-secret-of-an-organization-admin",
}


def shown(pattern: str) -> list[str]:
    found = re.findall(pattern, README, re.MULTILINE)
    assert found
    return found


def test_the_metrics_match_those_of_the_demo(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = (*EXPORTER, "demo", "--web.listen-address=127.0.0.1:0", "--speed=0")
    with started(*command, log=log):
        url = printed(log, r"metrics +(http://\S+)")
        printed(log, r"(msg=refreshed)")
        printed(log, r'(msg="refresh failed")')
        with urlopen(url) as response:  # noqa: S310 # our own http URL
            exposition = response.read().decode().splitlines()
        for line in shown(r"^confluent_cloud_\w+\{.*\} \S+$"):
            assert line in exposition
        for line in shown(r"^A simulated Confluent Cloud and .*$|^Two organizations.*$"):
            assert line in log.read_text().splitlines()


def test_the_output_of_check_matches_and_a_second_check_does_not_wait(tmp_path: Path) -> None:
    log, path = tmp_path / "log", tmp_path / "config.yaml"
    command = (*EXPORTER, "simulate", "--web.listen-address=127.0.0.1:0", "--speed=0")
    with started(*command, log=log):
        url = printed(log, r"listens on (http://\S+);")
        path.write_text(f"organizations: [{{name: acme, url: {url}}}]\n")
        done = run("check", f"--config.file={path}", environ=ENVIRON)
        # Together they use two thirds of the simulator's rate limit window.
        again = run("check", f"--config.file={path}", environ=ENVIRON)
    assert (again.stdout, again.stderr) == (done.stdout, "")
    shown_lines = shown(r"^acme: ok: .*(?:\n  .*)*?(?=\n  …)")[0].splitlines()
    assert done.stdout.splitlines()[: len(shown_lines)] == shown_lines


def test_the_configurations_are_valid(tmp_path: Path) -> None:
    blocks = code_blocks(README, "yaml")
    # The chart's values, which name its image, are checked with the chart.
    configurations = [each for each in blocks if "organizations:" in each and "image:" not in each]
    assert len(configurations) == 2
    for name in ("acme_key", "acme_secret"):
        (tmp_path / name).write_text("x")
    for text in configurations:
        config.parse(
            text.replace("/run/secrets/", f"{tmp_path}/"),
            file="README.md",
            folder=tmp_path,
            environ=ENVIRON | {"GLOBEX_KEY": "K", "GLOBEX_SECRET": "S"},
        )


def test_the_container_is_run_as_the_image_expects_it() -> None:
    (command,) = shown(r"^\$ (docker run (?:.*\\\n)*.*)$")
    words = shlex.split(command.replace("\\\n", ""))
    dockerfile = (ROOT / "Dockerfile").read_text()
    (flag,) = json.loads(re.findall(r"^CMD (.*)$", dockerfile, re.MULTILINE)[0])
    (port,) = re.findall(r"^EXPOSE (.*)$", dockerfile, re.MULTILINE)
    assert words[words.index("-v") + 1] == f"$PWD/config.yaml:{flag.partition('=')[2]}:ro"
    assert words[words.index("-p") + 1] == f"127.0.0.1:{port}:{port}"
    passed = {words[at + 1] for at, word in enumerate(words) if word == "-e"}
    assert passed == ENVIRON.keys()
    assert words[-1] in (ROOT / "Makefile").read_text().partition("\nimage:")[2]


def test_prometheus_accepts_the_scrape_configurations(tmp_path: Path) -> None:
    """Those files that they name are created, because promtool looks for them."""
    blocks = code_blocks(README, "yaml")
    scrapes = [block for block in blocks if "scrape_configs:" in block]
    assert len(scrapes) == 2
    Authority(tmp_path, "exporter-ca")
    (tmp_path / "exporter-password").write_text("secret")
    for text in scrapes:
        assert yaml.safe_load(text)["scrape_configs"][0]["static_configs"]
        path = tmp_path / "prometheus.yml"
        path.write_text(text.replace("/etc/prometheus/", f"{tmp_path}/"))
        promtool("check", "config", path)


def test_the_web_configurations_are_valid(tmp_path: Path) -> None:
    """Also those of docs/web.md. The promtool of Debian does not know ``client_allowed_sans``."""
    blocks = code_blocks(README + WEB, "yaml")
    texts = [block for block in blocks if "tls_server_config:" in block]
    assert len(texts) == 3
    authority = Authority(tmp_path, "clients-ca")
    for file in ("tls", "exporter"):
        authority.server(file)
    path = tmp_path / "web.yaml"
    for text in texts:
        path.write_text(text.replace("clients-ca.crt", "clients-ca.pem"))
        loaded, _ = load_web_config(path)
        assert loaded.authenticates
        if "client_allowed_sans" not in text:
            promtool("check", "web-config", path)


def test_the_metrics_in_the_queries_exist() -> None:
    catalogue = (ROOT / "docs" / "metrics.md").read_text()
    for name in shown(r"confluent_cloud_\w+"):
        assert f"`{name}` |" in catalogue


def test_the_number_of_faults_is_correct() -> None:
    assert f"{len(FAULTS)} injectable faults" in README.replace("\n", " ")


def test_the_exit_codes_of_an_interrupted_command_are_correct() -> None:
    (listed,) = shown(r"^\| (130, 143) \|")
    assert [int(code) for code in listed.split(", ")] == [
        128 + number for number in (signal.SIGINT, signal.SIGTERM)
    ]


def test_the_named_rows_are_those_of_the_dashboards() -> None:
    rows = {
        panel["title"]
        for path in (ROOT / "grafana" / "dashboards").glob("*.json")
        for panel in json.loads(path.read_text())["panels"]
        if panel["type"] == "row"
    }
    _, _, answers = MONITORING.partition("\n## Dashboards\n")
    named = {
        row.strip()
        for where in re.findall(r"^\|.*\| (.*) \|$", answers, re.MULTILINE)
        for row in where.partition(":")[0].split(";")
    }
    assert named - {"row", "Top"} == rows
