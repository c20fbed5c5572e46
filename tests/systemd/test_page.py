"""docs/systemd.md names the paths, flags and messages of the unit and of the program."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from exporter.cli import arguments
from tests.markdown import ROOT
from tests.systemd.unit_files import (
    CONFIGURATION,
    FOLDER,
    NAME,
    SERVICE,
    copy_of,
    credentials_folder,
    value,
)
from tests.test_messages import is_in_the_program

PAGE = (ROOT / "docs" / "systemd.md").read_text()
OF_SYSTEMD = {"status=243/CREDENTIALS", "status=203/EXEC", "Permission denied"}
"""Messages of systemd."""


def blocks(language: str, page: str = PAGE) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)


def commands(page: str = PAGE) -> list[list[str]]:
    """Return the words of each command, without ``sudo`` and its options."""
    typed = "\n".join(blocks("console", page)).replace("\\\n", "")
    lines = re.findall(r"^\$ (?:sudo (?:-u \S+ )?)?(.*)$", typed, re.MULTILINE)
    return [shlex.split(line) for line in lines]


def test_every_file_in_the_folder_is_installed() -> None:
    used = {word for words in commands() for word in words if word.startswith("systemd/")}
    assert used == {f"systemd/{each.name}" for each in FOLDER.iterdir()}


def test_the_readme_has_the_commands_of_the_page() -> None:
    section = (ROOT / "README.md").read_text().split("*systemd.*")[1].split("**5. ")[0]
    shown = commands(section)
    keys = ["install", "-m", "600", "acme_key", "acme_secret", f"/etc/{NAME}/credentials/"]
    shown.remove(keys)  # the page explains how to type the key
    assert [each for each in shown if each not in commands()] == []
    assert {word for each in shown for word in each if word.startswith("systemd/")} == {
        f"systemd/{each.name}" for each in FOLDER.iterdir() if each.suffix != ".socket"
    }


def test_the_files_are_installed_where_the_unit_expects_them() -> None:
    installed = {Path(words[-2]).name: words[-1] for words in commands() if words[0] == "install"}
    configuration = f"/etc/{value('ConfigurationDirectory')}"
    assert installed[SERVICE.name] == "/etc/systemd/system/"
    assert f"-{installed[f'{NAME}.default']}" == value("EnvironmentFile")
    assert installed["config.yaml"] == f"{configuration}/"
    assert ["python3", "-m", "venv", f"/opt/{NAME}"] in commands()
    assert value("ExecStart").startswith(f"/opt/{NAME}/bin/{NAME} ")
    folder = value("LoadCredential").partition(":")[2]
    for name in ("acme_key", "acme_secret"):
        assert ["install", "-m", "600", "/dev/stdin", f"{folder}/{name}"] in commands()


def test_only_root_can_read_the_variables() -> None:
    """The address of a proxy may contain a password."""
    source, target = f"systemd/{NAME}.default", value("EnvironmentFile").lstrip("-")
    assert ["install", "-m", "600", source, target] in commands()


def test_the_paths_in_the_table_are_those_of_the_unit() -> None:
    assert re.findall(r"^\| `(/\S+)` \|", PAGE, re.MULTILINE) == [
        f"/opt/{NAME}",
        f"/etc/systemd/system/{SERVICE.name}",
        value("EnvironmentFile").lstrip("-"),
        f"/etc/{value('ConfigurationDirectory')}/config.yaml",
        value("LoadCredential").partition(":")[2],
        credentials_folder(),
        f"/var/lib/{value('StateDirectory')}",
    ]


def test_the_configuration_is_the_example() -> None:
    (shown,) = map(yaml.safe_load, blocks("yaml"))
    example = yaml.safe_load(CONFIGURATION.read_text())
    assert shown == example
    assert list(example["organizations"][0]["credentials"].values()) == [
        copy_of("acme_key"),
        copy_of("acme_secret"),
    ]


def test_encrypted_credentials_have_the_names_of_the_plain_ones() -> None:
    (drop_in,) = blocks("ini")
    prefix, _, folder = value("LoadCredential").partition(":")
    assert drop_in.splitlines() == [
        "[Service]",
        "LoadCredential=",
        f"LoadCredentialEncrypted={prefix}:{folder}.encrypted",
    ]
    encrypted = [words for words in commands() if words[:2] == ["systemd-creds", "encrypt"]]
    assert [(words[2], words[4]) for words in encrypted] == [
        (f"--name={prefix}_{name}", f"{folder}.encrypted/{name}")
        for name in ("acme_key", "acme_secret")
    ]


def test_the_commands_and_flags_are_those_of_the_program() -> None:
    typed = [words[1:] for words in commands() if words[0] == f"/opt/{NAME}/bin/{NAME}"]
    assert [words[0] for words in typed] == ["check", "run"]
    for words in typed:
        options = arguments.parse(words)
        assert str(options.config_file) == f"/etc/{value('ConfigurationDirectory')}/config.yaml"
    examples = re.findall(r'ARGS="(.+?)"', PAGE)
    assert len(examples) >= 3
    for example in examples:
        arguments.parse(["run", *shlex.split(example)])


def test_uninstalling_removes_what_was_installed() -> None:
    removed = {word for words in commands() if words[0] == "rm" for word in words}
    for path in re.findall(r"^\| `(/(?:opt|etc|var)/\S+)` \|", PAGE, re.MULTILINE):
        assert any(Path(path).is_relative_to(each) for each in removed), path
    targets = {words[-1] for words in commands() if words[0] == "install"}
    assert {each for each in targets if each.endswith(".conf")} <= removed
    assert ["userdel", value("User")] in commands()


def test_the_mistakes_have_the_messages_of_the_program() -> None:
    _, _, section = PAGE.partition("\n## Mistakes\n")
    header, *rows = [
        line.strip("| ").split(" | ") for line in section.splitlines() if line[:2] == "| "
    ]
    assert header == ["mistake", "what you see"]
    assert len(rows) > 8
    shown = {each for _, see in rows for each in re.findall(r"`([^`]+)`", see)}
    unknown = {each for each in shown - OF_SYSTEMD if not is_in_the_program(each)}
    assert unknown == {"chown"}  # the remedy of one mistake


@pytest.mark.parametrize("setting", ["StartLimitBurst", "RestartSec", "WatchdogSec"])
def test_the_limits_of_restarts_are_described(setting: str) -> None:
    number = {"10": "ten", "10s": "ten seconds", "60s": "a minute"}[value(setting)]
    _, _, section = PAGE.partition("\n## Restarts\n")
    assert number in section.partition("\n## ")[0]
