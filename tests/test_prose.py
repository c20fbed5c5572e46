"""The check of the prose finds discouraged phrases in text, and only there."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.markdown import ROOT
from tests.prose import reports

if TYPE_CHECKING:
    from pathlib import Path


def found(text: str, *, suffix: str) -> list[tuple[int, str]]:
    return [(line, phrase) for line, phrase, _ in reports(text, suffix=suffix)]


@pytest.mark.parametrize(
    ("suffix", "text", "expected"),
    [
        (".md", "Read it\nanew.", [(2, "anew")]),
        (".md", "A number of\nno\nuse.", [(1, "of no use")]),
        (".md", "`anew`\n\n```sh\nanew\n```\n", []),
        (".md", "```sh\nanew\n```\n\nMended.\n", [(5, "Mended")]),
        (".py", 'x = "a"  # a name that is of\n# no use\n', [(1, "of no use")]),
        (".py", "anew = 1\n", []),
        (".py", '"""Doc.\n\nMended ``anew``.\n"""\n', [(3, "Mended")]),
        (".py", 'f(\n    "that is"\n    " no duration"\n)\n', [(2, "is no")]),
        (".py", 'f("of no", use)\n', []),
        (".py", 'f"in {TIMEOUT:g} s, patient"\n', [(1, "patient")]),
        (".yaml", "# It was starved.\nkey: value\n", [(1, "starved")]),
        (".md", "There is no default, and this is no longer true.", []),
        (".md", "It is no URL.", [(1, "is no")]),
    ],
)
def test_phrases_are_found_in_prose(
    suffix: str, text: str, expected: list[tuple[int, str]]
) -> None:
    assert found(text, suffix=suffix) == expected


def test_a_report_names_the_place_and_the_better_wording() -> None:
    ((line, phrase, better),) = reports("Render it anew.", suffix=".md")
    assert (line, phrase) == (1, "anew")
    assert better.startswith("again")


@pytest.mark.integration
def test_the_command_prints_the_place_of_each_phrase_and_fails(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("It is mended.\n")
    (tmp_path / "page.txt").write_text("It is mended.\n")
    done = run(tmp_path / "page.md", tmp_path / "page.txt")
    assert done.returncode == 1
    assert re.fullmatch(r".*page\.md:1: 'mended': write instead: fix\n", done.stdout)


@pytest.mark.integration
def test_the_command_passes_without_any() -> None:
    done = run(ROOT / "docs" / "README.md")
    assert (done.returncode, done.stdout) == (0, "")


def run(*paths: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.prose", *paths],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
