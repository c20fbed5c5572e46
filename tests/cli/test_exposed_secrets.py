"""A secret file that every user may read is reported wherever the configuration is loaded."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.programs import EXPORTER, eventually, printed, run, started, stop

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

WARNING = "every user can read or change this secret file"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Two organizations with the same secret file, and one with a file of its own."""
    for name, mode in (("shared", 0o644), ("own", 0o640)):
        (tmp_path / name).write_text("cfltHIDDEN")
        (tmp_path / name).chmod(mode)
    path = tmp_path / "config.yaml"
    path.write_text(
        "defaults: {url: 'http://127.0.0.1:9', refresh_timeout: 1s, request_timeout: 1s}\n"
        "organizations:\n"
        + "".join(
            f"  - {{name: {name}, credentials: {{api_key: K, api_secret_file: {file}}}}}\n"
            for name, file in (("acme", "shared"), ("beta", "shared"), ("gamma", "own"))
        )
    )
    return path


def warnings(text: str) -> list[str]:
    return [line for line in text.splitlines() if WARNING in line]


@pytest.mark.parametrize("arguments", [["run", "--config.check"], ["check"]])
def test_it_is_named_once_by_the_commands_that_check(config: Path, arguments: list[str]) -> None:
    done = run(*arguments, f"--config.file={config}")
    (line,) = warnings(done.stderr)
    assert " level=warn " in line
    assert line.endswith(f" file={config.parent / 'shared'}")
    assert "HIDDEN" not in done.stderr + done.stdout


def test_it_is_named_at_start_and_at_each_reload(config: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = (*EXPORTER, f"--config.file={config}", "--web.listen-address=127.0.0.1:0")
    with started(*command, log=log) as process:
        printed(log, "(msg=listening)")
        assert len(warnings(log.read_text())) == 1
        process.send_signal(signal.SIGHUP)
        eventually(lambda: "configuration loaded" in log.read_text(), what="the reload")
        assert len(warnings(log.read_text())) == 2
        (tmp_path / "shared").chmod(0o600)
        process.send_signal(signal.SIGHUP)
        eventually(lambda: log.read_text().count("configuration loaded") == 2, what="another")
        assert len(warnings(log.read_text())) == 2
        assert stop(process)[0] == 0


def test_tokens_and_secrets_of_clients_are_named_too(tmp_path: Path) -> None:
    for name, text in (("token", "eyJHIDDEN.eyJHIDDEN.HIDDEN"), ("client-secret", "HIDDEN")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o644)
    path = tmp_path / "config.yaml"
    path.write_text("""
organizations:
  - name: acme
    credentials: {identity_pool: pool-abc12, token_file: token}
  - name: beta
    credentials:
      identity_pool: pool-abc12
      oauth:
        token_url: https://login.example.com/oauth2/token
        client_id: exporter
        client_secret_file: client-secret
""")
    done = run("--config.check", f"--config.file={path}")
    assert done.returncode == 0
    assert [line.rpartition(" file=")[2] for line in warnings(done.stderr)] == [
        str(tmp_path / "client-secret"),
        str(tmp_path / "token"),
    ]
    assert "HIDDEN" not in done.stderr + done.stdout
