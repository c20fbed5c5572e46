"""``--shard`` and ``--total-shards``, and the number that a host name ends with."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from exporter.cli import arguments, commands, one_shot
from exporter.cli.shard_flags import selected_shard, shard_of_process
from exporter.config import Shard
from exporter.errors import StartUpError
from tests.logged import captured

if TYPE_CHECKING:
    from pathlib import Path

NEITHER_READABLE = """\
organizations:
  - {name: acme, credentials: {api_key: KEYID, api_secret_env: NO_SUCH_VARIABLE}}
  - {name: globex, credentials: {api_key: KEYID, api_secret_env: NO_SUCH_VARIABLE}}
"""
"""Of three shards, acme belongs to 1, globex to 2, and nothing to 0."""


@pytest.mark.parametrize("command", ["run", "once", "check", "report"])
@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (
            ["--shard=1"],
            "--shard=1 needs --total-shards, the number of shards; expected 2 or more",
        ),
        (
            ["--shard=0"],
            "--shard=0 needs --total-shards, the number of shards; expected 1 or more",
        ),
        (
            ["--shard=1", "--total-shards=1"],
            "--shard=1 is too high for --total-shards=1; expected 0, the only shard",
        ),
        (
            ["--shard=3", "--total-shards=3"],
            "--shard=3 is too high for --total-shards=3; expected a number from 0 to 2",
        ),
        (["--shard=-1", "--total-shards=3"], "argument --shard: -1 is not between 0 and 1000000"),
        (["--total-shards=0"], "argument --total-shards: 0 is not between 1 and 1000000"),
        (
            ["--total-shards=12345678"],
            "argument --total-shards: 12345678 is not between 1 and 1000000",
        ),
        (["--shard=one", "--total-shards=3"], "argument --shard: 'one' is not a number"),
    ],
)
def test_wrong_usage_names_the_remedy(
    capsys: pytest.CaptureFixture[str], command: str, flags: list[str], says: str
) -> None:
    with pytest.raises(SystemExit) as exited:
        arguments.parse([command, *flags])
    assert exited.value.code == 2
    assert capsys.readouterr().err == (
        f"confluent-api-keys-exporter: {says}\nTry: confluent-api-keys-exporter {command} --help\n"
    )


def named(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: host)


@pytest.mark.parametrize(
    ("host", "flags", "shard"),
    [
        ("exporter-0", ["--total-shards=3"], Shard(0, 3)),
        ("confluent-api-keys-exporter-2", ["--total-shards=3"], Shard(2, 3)),
        ("exporter-10", ["--total-shards=11"], Shard(10, 11)),
        ("exporter-2.headless.monitoring.svc", ["--total-shards=3"], Shard(2, 3)),
        ("exporter-2", ["--shard=0", "--total-shards=3"], Shard(0, 3)),
        ("exporter-2", [], Shard(0, 1)),
        ("exporter", ["--shard=0", "--total-shards=1"], Shard(0, 1)),
    ],
)
def test_run_and_once_take_the_number_at_the_end_of_the_host_name(
    monkeypatch: pytest.MonkeyPatch, host: str, flags: list[str], shard: Shard
) -> None:
    named(monkeypatch, host)
    assert shard_of_process(arguments.parse(flags)) == shard


@pytest.mark.parametrize(
    "host", ["exporter", "exporter2", "exporter-7d9f8b6c5-x2x4z", "exporter-2-", ""]
)
def test_a_host_name_without_a_number_is_refused(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    named(monkeypatch, host)
    with pytest.raises(StartUpError) as caught:
        shard_of_process(arguments.parse(["--total-shards=3"]))
    assert str(caught.value) == (
        f"--total-shards=3 without --shard: the host name `{host}` does not end with `-` and a"
        " number. Set --shard to a number from 0 to 2"
    )


def test_a_host_name_with_a_number_that_is_too_high_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    named(monkeypatch, "exporter-3")
    with pytest.raises(StartUpError) as caught:
        shard_of_process(arguments.parse(["--total-shards=3"]))
    assert str(caught.value) == (
        "--total-shards=3 without --shard: the number at the end of the host name `exporter-3` is"
        " too high. Expected 0 to 2. Raise --total-shards, remove this replica, or set --shard"
    )


@pytest.mark.parametrize("command", ["check", "report"])
def test_check_and_report_cover_all_organizations_unless_told(
    monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    named(monkeypatch, "exporter-2")
    assert selected_shard(arguments.parse([command])) == Shard(0, 1)
    assert selected_shard(arguments.parse([command, "--total-shards=3"])) == Shard(0, 1)
    flags = ["--shard=1", "--total-shards=3"]
    assert selected_shard(arguments.parse([command, *flags])) == Shard(1, 3)


def test_a_check_of_the_configuration_is_that_of_the_shard_in_the_host_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    named(monkeypatch, "exporter-0")
    path = tmp_path / "config.yaml"
    path.write_text(NEITHER_READABLE)
    flags = [f"--config.file={path}", "--config.check", "--total-shards=3"]
    assert commands.run(arguments.parse(flags)) == 0
    *_, printed = capsys.readouterr().out.splitlines()
    assert printed == f"{path}: valid, shard 0 of 3 (0 to 2): 0 of 2 organizations"


def test_once_of_a_shard_without_organizations_succeeds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    named(monkeypatch, "exporter-0")
    path, output = tmp_path / "config.yaml", tmp_path / "metrics"
    path.write_text(NEITHER_READABLE)
    flags = [f"--config.file={path}", f"--output={output}", "--total-shards=3"]
    with captured(capsys):
        assert one_shot.once(arguments.parse(["once", *flags])) == 0
    lines = output.read_text().splitlines()
    assert 'confluent_cloud_exporter_shard_ordinal{shard_ordinal="0"} 0.0' in lines
    assert "confluent_cloud_exporter_total_shards 3.0" in lines
    assert not any("organization=" in line for line in lines)
