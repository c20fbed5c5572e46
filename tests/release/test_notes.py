"""The notes of a release are its section of the changelog."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from exporter.version import __version__
from tests.programs import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


CHANGELOG = """\
## [1.2.0] - 2026-01-02
### Fixed
- [a](notes/a.md#b)
  [c](https://c.example)
- [d](#d)

Two
lines

## [1.1.0] - 2026-01-01
Old
"""


@pytest.mark.parametrize(
    ("tag", "changelog", "printed", "error"),
    [
        (
            "v1.2.0",
            CHANGELOG,
            "### Fixed\n- [a](BASE/notes/a.md#b) [c](https://c.example)\n- [d](#d)\n\nTwo lines\n",
            "",
        ),
        ("v1.2.1", "## [1.2.0] - 2026-01-02\n- New.\n", "", "The tag is v1.2.1, but"),
        ("1.2.0", "## [1.2.0] - 2026-01-02\n- New.\n", "", "The tag is 1.2.0, but"),
        ("v1.2.0", "## [1.2.0]\n- New.\n", "", "has no entries under"),
        ("v1.2.0", "## [1x2.0] - 2026-01-02\n- New.\n", "", "has no entries under"),
        ("v1.2.0", "## [1.2.0] - 2026-01-02\n\n## [1.1.0]\n- Old.\n", "", "has no entries under"),
    ],
)
def test_release_notes(tmp_path: Path, tag: str, changelog: str, printed: str, error: str) -> None:
    for folder in (".ci", "exporter"):
        (tmp_path / folder).mkdir()
    script = shutil.copy(ROOT / ".ci/release-notes", tmp_path / ".ci")
    (tmp_path / "exporter/version.py").write_text('__version__ = "1.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(changelog)
    done = run(script, tag, "BASE")
    assert (done.returncode, done.stdout) == (int(bool(error)), printed)
    assert error in done.stderr


def test_the_changelog_has_notes_for_the_current_version() -> None:
    done = run(ROOT / ".ci/release-notes", f"v{__version__}", "https://forge.example/blob/tag")
    assert done.returncode == 0, done.stderr
    # A release page resolves relative links against another address.
    assert set(re.findall(r"\]\((?!https://|#)", done.stdout)) == set()


def test_upgrade_notes_come_first_in_a_section_of_the_changelog() -> None:
    kinds = ["Upgrade notes", "Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
    _, *sections = re.split(r"^## ", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert len(sections) > 2
    for section in sections:
        headings = re.findall(r"^### (.*)$", section, re.MULTILINE)
        assert headings == [each for each in kinds if each in headings], section[:20]
