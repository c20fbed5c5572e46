"""Commands as processes: unused keys in a report, teams in a check, and teams after a signal."""

from __future__ import annotations

import json
import re
import signal
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

from tests.programs import EXPORTER, free_address, printed, run, started, stop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

ENVIRON = {
    "CONFLUENT_CLOUD_API_KEY": "SIMULATEDADMIN01",
    "CONFLUENT_CLOUD_API_SECRET": "simulated-secret-of-an-organization-admin",
}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("simulate") / "log"
    command = (*EXPORTER, "simulate", "--web.listen-address=127.0.0.1:0", "--keys=150", "--speed=0")
    with started(*command, "--rate-limit=none", log=log):
        yield printed(log, r"listens on (http://\S+);")


def test_a_report_has_only_the_unused_keys_if_asked_for_them(tmp_path: Path, api: str) -> None:
    path = tmp_path / "config.yaml"
    settings = f"usage: {{enabled: true, url: '{api}'}}, policy: {{unused_for: 6d}}"
    path.write_text(f"organizations:\n  - {{name: acme, url: '{api}', {settings}}}\n")
    arguments = ("report", f"--config.file={path}", "--format=json")
    unused = run(*arguments, "--policy=unused_for", environ=ENVIRON)
    assert unused.returncode == 0, unused.stderr
    every = json.loads(run(*arguments, environ=ENVIRON).stdout)
    found = {row["api_key_id"] for row in json.loads(unused.stdout)}
    assert found == {row["api_key_id"] for row in every if "unused_for" in row["policies"]}
    assert 0 < len(found) < len(every)


def test_check_prints_which_teams_match_no_owner(tmp_path: Path, api: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        f"organizations: [{{name: acme, url: '{api}'}}]\nteams_file: teams.yaml\n"
        "teams: [{name: everybody, owners: ['*']}, {name: nobody, owners: [sa-404]}]\n"
    )
    (tmp_path / "teams.yaml").write_text("[{name: late, owners: [sa-405]}]")
    done = run("check", f"--config.file={path}", environ=ENVIRON)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "teams: no owner matches nobody, late"


def test_a_signal_reads_the_file_with_the_teams_again(tmp_path: Path, api: str) -> None:
    path, teams, log = (tmp_path / name for name in ("config.yaml", "teams.yaml", "log"))
    path.write_text(f"organizations: [{{name: acme, url: '{api}'}}]\nteams_file: teams.yaml\n")
    teams.write_text("[{name: before, owners: ['*']}]")
    address = free_address()
    command = (*EXPORTER, f"--config.file={path}", f"--web.listen-address={address}")
    with started(*command, log=log, environ=ENVIRON) as process:
        printed(log, r"msg=(refreshed) .*collector=api_keys")
        assert teams_at(address) == {"before"}
        teams.write_text("[{name: after, owner: ['*']}]")
        process.send_signal(signal.SIGHUP)
        problem = printed(log, r'msg="the new configuration was rejected" problem="([^"]+)')
        assert problem.startswith(f"{teams}:1: [0]")
        assert teams_at(address) == {"before"}
        teams.write_text("[{name: after, owners: ['*']}]")
        process.send_signal(signal.SIGHUP)
        printed(log, r'msg="(configuration loaded)"')
        assert teams_at(address) == {"after"}
        assert stop(process)[0] == 0


def teams_at(address: str) -> set[str]:
    with urlopen(f"http://{address}/metrics") as response:
        text = response.read().decode()
    return {*re.findall(r'^confluent_cloud_owner_team_info\{.*team="(\w+)"', text, re.MULTILINE)}
