"""The commands with shards, as processes."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

from tests.cli.api import ENVIRON, api
from tests.harness import SECRET
from tests.programs import EXPORTER, free_address, printed, run, started, stop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

ONE_OF_3 = ("--shard=1", "--total-shards=3")
"""The shard of acme and initech. Globex and umbrella belong to 2, and nothing to 0."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with api(keys=7) as url:
        yield url


@pytest.fixture
def config(tmp_path: Path, url: str) -> Path:
    """Return a configuration of acme, and of globex, whose secret is missing."""
    path = tmp_path / "config.yaml"
    path.write_text(
        f"defaults: {{url: {url}, names: {{enabled: false}}, quotas: {{enabled: false}}}}\n"
        "organizations:\n"
        "  - name: acme\n"
        "  - {name: globex, credentials: {api_key: KEYID, api_secret_file: missing}}\n"
    )
    return path


def organizations(exposition: str) -> set[str]:
    return set(re.findall(r'organization="(\w+)"', exposition))


def test_commands_use_the_organizations_of_the_shard(config: Path) -> None:
    flags = (f"--config.file={config}", *ONE_OF_3)
    checked = run("--config.check", *flags, environ=ENVIRON)
    assert checked.stdout == f"{config}: valid, shard 1 of 3 (0 to 2): 1 of 2 organizations\n"
    once = run("once", *flags, environ=ENVIRON)
    assert organizations(once.stdout) == {"acme"}
    assert "confluent_cloud_exporter_total_shards 3.0\n" in once.stdout
    check = run("check", *flags, environ=ENVIRON)
    assert check.stdout.startswith("acme")
    report = run("report", *flags, "--format=csv", environ=ENVIRON)
    assert report.stdout.count("\nacme,") == 7
    assert {done.returncode for done in (checked, once, check, report)} == {0}
    for done in (checked, once, check, report):
        assert (
            'msg="using the organizations of one shard" organizations=1'
            " organizations_of_all_shards=2 shard=1 total_shards=3\n"
        ) in done.stderr
    unknown = run("report", *flags, "--organization=globex", environ=ENVIRON)
    assert unknown.stderr.endswith(
        "--organization: 'globex' matches no organization of shard 1 of 3. Expected one of acme\n"
    )


@pytest.mark.parametrize("command", ["check", "report"])
def test_check_and_report_need_every_secret_without_a_shard(config: Path, command: str) -> None:
    done = run(command, f"--config.file={config}", "--total-shards=3", environ=ENVIRON)
    assert done.returncode == 1
    assert "organizations[1].credentials.api_secret_file: the file does not exist" in done.stderr


def test_a_shard_without_organizations_serves_and_a_reload_gives_it_some(
    config: Path, tmp_path: Path
) -> None:
    log, address = tmp_path / "log", free_address()
    config.write_text(config.read_text().replace("name: acme\n", "name: umbrella\n"))
    flags = (f"--config.file={config}", f"--web.listen-address={address}", *ONE_OF_3)

    def get(path: str) -> str:
        with urlopen(f"http://{address}{path}") as response:
            text: str = response.read().decode()
            return text

    with started(*EXPORTER, *flags, log=log) as process:
        printed(log, r"msg=(listening)")
        assert (
            'msg="this shard has no organizations" organizations=0 organizations_of_all_shards=2'
            " shard=1 total_shards=3\n"
        ) in log.read_text()
        assert (get("/-/healthy"), get("/-/ready")) == ("Healthy.\n", "Ready.\n")
        assert "Shard 1 of 3 (0 to 2): 0 of 2 organizations." in get("/")
        assert 'confluent_cloud_exporter_shard_ordinal{shard_ordinal="1"} 1.0\n' in get("/metrics")
        (tmp_path / "secret").write_text(SECRET)
        (tmp_path / "secret").chmod(0o600)
        with config.open("a") as file:
            file.write(
                "  - {name: initech, credentials: {api_key: KEYID, api_secret_file: secret}}\n"
            )
        process.send_signal(signal.SIGHUP)
        printed(log, r'msg="(configuration loaded)" organizations=1\n')
        assert "Shard 1 of 3 (0 to 2): 1 of 3 organizations." in get("/")
        assert organizations(get("/metrics")) == {"initech"}
        assert stop(process)[0] == 0
