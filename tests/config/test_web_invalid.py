"""Each YAML file in ``invalid/web`` has one kind of problem, as in ``test_invalid.py``."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from exporter.config.web_config import load_web_config
from exporter.errors import ConfigurationError
from tests.config.web_files import write_files

INVALID = Path(__file__).parent / "invalid" / "web"
NAMES = sorted(path.stem for path in INVALID.glob("*.yaml"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configurations, and the certificates that they name."""
    folder = tmp_path_factory.mktemp("web")
    shutil.copytree(INVALID, folder, dirs_exist_ok=True)
    write_files(folder)
    return folder


def _problems(path: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_web_config(path)
    assert caught.value.__context__ is None
    return [line.removeprefix(f"{path}:") for line in str(caught.value).splitlines()]


@pytest.mark.parametrize("name", NAMES)
def test_a_problem_is_reported_at_its_line(folder: Path, name: str) -> None:
    shown = _problems(folder / f"{name}.yaml")
    assert shown == (INVALID / f"{name}.txt").read_text().splitlines()
    assert not any("HIDDEN" in line or "wRoNgLy" in line for line in shown)


def test_each_expected_output_has_a_configuration() -> None:
    assert sorted(path.stem for path in INVALID.glob("*.txt")) == NAMES
