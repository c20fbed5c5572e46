"""Standard streams that are closed, full, or without a reader."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.cli.api import ENVIRON, api
from tests.programs import EXPORTER, ROOT, TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

CANNOT = "confluent-api-keys-exporter: cannot write the output: "
CLOSED = f"{CANNOT}standard output is not open for writing"
FULL = f"{CANNOT}No space left on device"

ASKING = ["check", "once", "report"]
"""The commands that ask the API."""
PRINTING = [
    *ASKING,
    "--config.check",
    "schema",
    "--help",
    "help",
    "--version",
    "simulate --web.listen-address=127.0.0.1:0",
    "demo --web.listen-address=127.0.0.1:0",
]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("streams") / "config.yaml"
    with api(keys=50) as url:
        path.write_text(f"organizations: [{{name: acme, url: {url}}}]\n")
        yield path


def run(command: str, redirection: str, config: Path) -> subprocess.CompletedProcess[str]:
    """Run ``command`` as a shell does that was given ``redirection``."""
    name, *more = command.split()
    if name in {*ASKING, "--config.check"}:
        more.append(f"--config.file={config}")
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {redirection}', "sh", *EXPORTER, name, *more],
        env=os.environ | ENVIRON,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


@pytest.mark.parametrize("command", PRINTING)
def test_a_closed_standard_output_is_an_error_in_one_line(command: str, config: Path) -> None:
    done = run(command, "<&- >&-", config)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == CLOSED
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["once", "report", "schema", "--help"])
def test_a_full_disk_is_an_error_in_one_line(command: str, config: Path) -> None:
    done = run(command, ">/dev/full", config)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == FULL
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
@pytest.mark.parametrize(("command", "code"), [("once", 0), ("bogus", 2)])
def test_errors_that_cannot_be_written_change_neither_output_nor_exit_code(
    command: str, redirection: str, code: int, config: Path
) -> None:
    done = run(command, redirection, config)
    assert (done.returncode, done.stderr) == (code, "")
    total = 'confluent_cloud_organization_api_keys{organization="acme"} 50.0\n'
    assert (total in done.stdout) == (command == "once")
    assert "level=" not in done.stdout


@pytest.mark.parametrize("command", ["check", "schema", "--help"])
def test_a_reader_that_goes_away_is_not_reported(command: str, config: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    name, *more = [command, f"--config.file={config}"] if command == "check" else [command]
    done = subprocess.run(
        [*EXPORTER, name, *more],
        env=os.environ | ENVIRON,
        cwd=ROOT,
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=TIMEOUT,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")
