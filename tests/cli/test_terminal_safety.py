"""Names and ids reach no terminal with characters that it obeys or does not show."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import pty
import subprocess
import unicodedata
from typing import TYPE_CHECKING

import pytest
import structlog

from exporter import logs
from exporter.cli.report_table import as_table
from exporter.errors import ConfigurationError, Problem, StartUpError
from exporter.escaping import escaped
from exporter.report import as_csv, as_json
from exporter.simulator import SimulatedServiceAccount
from tests import programs, virtual_time
from tests.logged import captured
from tests.small_organization import LKC_1, SA_1, key, rows, small_world

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Literal

    from tests.harness import Harness

HOSTILE = (
    "\x00\x07\x08\t\n\x0b\r\x1b[2J\x7f\x85\x9b1m"  # controls
    "\u2028\u2029"  # separators of lines and paragraphs
    "\u061c\u200e\u200f\u202a\u202e\u2066\u2069"  # bidirectional marks
    "\u00ad\u200b\u200d\u2060\ufeff\U000e0041"  # invisible
)
KEPT = "Prüfung 注文 🚚\N{NO-BREAK SPACE}٣"
NAME = f"a{HOSTILE}z {KEPT}"
ESCAPED = (
    r"a\u0000\u0007\u0008\t\n\u000b\r\u001b[2J\u007f\u0085\u009b1m"
    r"\u2028\u2029"
    r"\u061c\u200e\u200f\u202a\u202e\u2066\u2069"
    r"\u00ad\u200b\u200d\u2060\ufeff\udb40\udc41"
    f"z {KEPT}"
)


def obeyed(text: str) -> set[str]:
    """Return the characters of ``text`` that a terminal obeys or hides, line breaks apart."""
    found = {each for each in text if unicodedata.category(each) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}
    return found - {"\n"}


def harness() -> Harness:
    keys = [
        key("K1", SA_1, LKC_1, days=1, display_name=NAME, description=NAME),
        key(f"K2{HOSTILE}", SA_1, LKC_1, days=2),
    ]
    found = small_world(keys)
    found.organization.replace(SimulatedServiceAccount("sa-1", NAME))
    return found


def test_what_is_escaped_and_what_is_not() -> None:
    assert escaped(NAME) == ESCAPED
    assert escaped(f"{KEPT} \\ \ue000 \udcff") == f"{KEPT} \\ \ue000 \\udcff"


async def test_csv_escapes_control_characters_and_has_one_line_for_each_key() -> None:
    text = as_csv(await rows(harness()))
    assert obeyed(text.replace("\r\n", "\n")) == set()
    assert text.count("\n") == 3
    second, first = csv.DictReader(io.StringIO(text, newline=""))
    assert first["description"] == first["display_name"] == first["owner_name"] == ESCAPED
    assert second["api_key_id"] == "K2" + ESCAPED[1:].removesuffix(f"z {KEPT}")


async def test_json_escapes_it_too_and_holds_the_value_itself() -> None:
    text = as_json(await rows(harness()))
    assert obeyed(text) == set()
    assert KEPT in text
    second, first = json.loads(text)
    assert first["description"] == first["owner_name"] == NAME
    assert second["api_key_id"] == f"K2{HOSTILE}"


async def test_the_table_and_check_escape_it_too() -> None:
    one = harness()
    table = as_table(await rows(one), organizations=1, width=400, colour=False)
    await one.exporter.refresh_once()
    lines = one.described()
    for text in (table, lines):
        assert obeyed(text) == set()
        assert r"a\u0000\u0007\u0008\t\n" in text


@pytest.mark.integration
def test_metrics_are_escaped_on_a_terminal_alone(tmp_path: Path) -> None:
    async def in_a_loop() -> Harness:
        return harness()

    one, path = virtual_time.run(in_a_loop()), tmp_path / "config.yaml"
    with programs.served(one.simulator) as url:
        path.write_text(
            f"defaults: {{url: {url}, quotas: {{enabled: false}}}}\norganizations:\n"
            "  - {name: acme, credentials: {api_key_env: KEY_0, api_secret_env: SECRET}}\n"
        )
        command = ("once", f"--config.file={path}", "--log.level=error")
        raw = programs.run(*command, environ=one.environ).stdout
        shown = on_a_terminal([*programs.EXPORTER, *command], one.environ)
    assert "\x1b[2J" in raw
    assert obeyed(shown.replace("\r\n", "\n")) == set()
    assert r"\u001b[2J" in shown


def on_a_terminal(command: list[str], environ: Mapping[str, str]) -> str:
    """Return what ``command`` prints on a terminal as its standard output."""
    terminal, theirs = pty.openpty()
    environ = programs.environment(environ)
    with programs.start(command, env=environ, stdout=theirs, stderr=subprocess.DEVNULL) as process:
        os.close(theirs)
        printed = b""
        with contextlib.suppress(OSError):  # as Linux tells the end
            while more := os.read(terminal, 65536):
                printed += more
        os.close(terminal)
        assert process.wait(programs.TIMEOUT) == 0
    return printed.decode()


@pytest.mark.parametrize("form", ["logfmt", "json"])
async def test_log_lines_escape_it_too(
    form: Literal["logfmt", "json"], capsys: pytest.CaptureFixture[str]
) -> None:
    one = harness()
    with captured(capsys) as log:
        logs.set_up(form=form)
        await one.exporter.refresh_once()
        one.organization.add(key(f"NEW{HOSTILE}", SA_1, LKC_1, days=0))
        await one.exporter.refresh_once()
        structlog.get_logger("x").info(f"several words{HOSTILE}", value=HOSTILE)
        text = log()
    assert obeyed(text) == set()
    (line,) = [each for each in text.splitlines() if "api key created" in each]
    if form == "json":
        assert json.loads(line)["api_key_id"] == f"NEW{HOSTILE}"
    else:
        assert rf"NEW{ESCAPED[1:].removesuffix(f'z {KEPT}')}" in line


def test_errors_on_standard_error_are_lines_of_their_own() -> None:
    problem = Problem(f"dir{HOSTILE}/config.yaml", 3, "", f"bad {HOSTILE}")
    text = f"{ConfigurationError((problem, problem))}\n{StartUpError(f'cannot {HOSTILE}')}"
    assert obeyed(text) == set()
    assert len(text.splitlines()) == 3


@pytest.mark.integration
def test_a_hostile_file_name_reaches_no_terminal(tmp_path: Path) -> None:
    path = tmp_path / "\x1b[2J\u202e\udcff.yaml"
    done = programs.run("check", f"--config.file={path}")
    assert done.returncode == 1
    assert obeyed(done.stderr) == set()
    assert r"\u001b[2J\u202e\udcff.yaml: no such file" in done.stderr
