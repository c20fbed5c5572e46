"""The unit, the user, the folders and the example configuration, without a service manager."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from exporter.cli import arguments
from exporter.config import load
from tests.programs import program
from tests.systemd.unit_files import (
    CONFIGURATION,
    ENVIRONMENT,
    NAME,
    SERVICE,
    SOCKET,
    SYSUSERS,
    TMPFILES,
    credentials_folder,
    settings,
    value,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.config import Config

pytestmark = pytest.mark.integration

MAX_EXPOSURE = 1.5
TARGETS = ("basic", "multi-user", "network-online", "shutdown", "sockets", "sysinit")


def systemd(command: str, *rest: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program of the package systemd to its end."""
    return subprocess.run(
        [program(command, package="systemd"), *map(str, rest)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env=os.environ | {"LANG": "C.UTF-8", "SYSTEMD_COLORS": "0"},
    )


def verify(root: Path, unit: str) -> str:
    """Return the problems of the unit of the service, as an installation under ``root`` has it."""
    units = root / "etc" / "systemd" / "system"
    units.mkdir(parents=True)
    for target in TARGETS:
        (units / f"{target}.target").write_text("[Unit]\nDefaultDependencies=no\n")
    (units / SERVICE.name).write_text(unit)
    (units / SOCKET.name).write_text(SOCKET.read_text())
    for command in (*settings("ExecStart"), *settings("ExecReload")):
        executable = root / command.split()[0].lstrip("/")
        executable.parent.mkdir(parents=True)
        executable.write_text("#!/bin/sh\n")
        executable.chmod(0o755)
    done = systemd(
        "systemd-analyze", "verify", f"--root={root}", "--man=no", SERVICE.name, SOCKET.name
    )
    return done.stdout + done.stderr


def exposure(unit: Path) -> float:
    """Return the exposure of ``unit``, from 0 for none to 10, as systemd rates it."""
    done = systemd("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+) ", done.stdout)
    assert found, done.stdout + done.stderr
    return float(found[1])


def test_systemd_finds_no_problem_in_the_units(tmp_path: Path) -> None:
    assert verify(tmp_path, SERVICE.read_text()) == ""


def test_systemd_finds_an_unknown_setting(tmp_path: Path) -> None:
    assert "ProtectHouse" in verify(tmp_path, SERVICE.read_text().replace("Home=", "House="))


def test_the_sandbox_leaves_little_exposed(tmp_path: Path) -> None:
    assert exposure(SERVICE) <= MAX_EXPOSURE
    # The figure is one of this unit, and not a default.
    without = tmp_path / SERVICE.name
    without.write_text(re.sub(r"^SystemCall.*\n", "", SERVICE.read_text(), flags=re.MULTILINE))
    assert exposure(without) > MAX_EXPOSURE


def test_the_files_that_metrics_of_the_process_need_stay_visible() -> None:
    assert settings("ProcSubset") == []
    assert value("ProtectProc") == "invisible"


def test_the_service_can_send_notifications() -> None:
    assert value("Type") == "notify"
    assert "AF_UNIX" in value("RestrictAddressFamilies").split()


def test_the_user_of_the_unit_is_created_without_a_shell(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    done = systemd("systemd-sysusers", f"--root={tmp_path}", SYSUSERS)
    assert done.returncode == 0, done.stderr
    (user,) = [
        line.split(":")
        for line in (tmp_path / "etc" / "passwd").read_text().splitlines()
        if line.startswith(f"{value('User')}:")
    ]
    assert user[6] == "/usr/sbin/nologin"
    assert f"\n{value('Group')}:x:{user[3]}:" in "\n" + (tmp_path / "etc" / "group").read_text()


def test_only_root_can_read_the_folder_of_the_keys(tmp_path: Path) -> None:
    command = program("systemd-tmpfiles", package="systemd")
    if os.geteuid() != 0:
        pytest.skip(f"{command} can give folders to root only as root")
    done = systemd("systemd-tmpfiles", f"--root={tmp_path}", "--create", TMPFILES)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / value("LoadCredential").partition(":")[2].lstrip("/")
    assert folder.parent == tmp_path / "etc" / value("ConfigurationDirectory")
    assert [each.stat().st_mode & 0o777 for each in (folder.parent, folder)] == [0o755, 0o700]
    assert [each.stat().st_uid for each in (folder.parent, folder)] == [0, 0]


def test_the_programs_of_the_unit_have_the_flags_that_it_passes() -> None:
    path, *words = shlex.split(value("ExecStart"))
    assert Path(path) == Path("/opt", NAME, "bin", NAME)
    assert words.pop() == "$ARGS"
    options = arguments.parse(words)
    assert options.command == "run"
    assert options.config_file == Path("/etc", value("ConfigurationDirectory"), "config.yaml")
    assert value("ExecReload") == "/bin/kill -HUP $MAINPID"


def test_the_examples_of_flags_are_flags_of_the_program() -> None:
    assert value("EnvironmentFile") == f"-/etc/default/{NAME}"
    examples = re.findall(r'^#?ARGS="(.*)"$', ENVIRONMENT.read_text(), re.MULTILINE)
    assert len(examples) == 2
    for example in examples:
        arguments.parse(["run", *shlex.split(example)])


def test_the_socket_has_the_default_port_and_the_name_of_the_service() -> None:
    assert f"\nListenStream={arguments.DEFAULT_PORT}\n" in SOCKET.read_text()
    assert SOCKET.stem == SERVICE.stem  # otherwise, it would start another service


def loaded(text: str, folder: Path, names: Sequence[str]) -> Config:
    """Load ``text`` with made-up credentials in ``folder`` instead of those of the service."""
    for name in names:
        (folder / name).write_text("value")
    state = f"/var/lib/{value('StateDirectory')}"
    text = text.replace(credentials_folder(), str(folder)).replace(state, str(folder))
    path = folder / "config.yaml"
    path.write_text(text)
    return load(path, environ={})


@pytest.mark.parametrize("with_usage", [False, True])
def test_the_example_configuration_loads(*, with_usage: bool, tmp_path: Path) -> None:
    text = CONFIGURATION.read_text()
    if with_usage:
        text = re.sub(r"^( +)#(?=\S)", r"\1", text, flags=re.MULTILINE)
    (acme,) = loaded(
        text, tmp_path, ["credentials_acme_key", "credentials_acme_secret"]
    ).organizations
    assert acme.name == "acme"
    assert acme.usage.state_file == (tmp_path / "acme.json" if with_usage else None)


def test_the_example_configuration_uses_the_files_of_the_service() -> None:
    prefix, _, _ = value("LoadCredential").partition(":")
    (acme,) = yaml.safe_load(CONFIGURATION.read_text())["organizations"]
    assert acme["credentials"] == {
        "api_key_file": f"/run/credentials/{SERVICE.name}/{prefix}_acme_key",
        "api_secret_file": f"/run/credentials/{SERVICE.name}/{prefix}_acme_secret",
    }
    assert f"/var/lib/{value('StateDirectory')}/" in CONFIGURATION.read_text()
