from __future__ import annotations

import stat
from itertools import count
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from exporter.cli.token_file import renewed_token_file
from tests.virtual_time import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def numbered() -> Callable[[int], str]:
    numbers = count(1)
    return lambda seconds: f"token {next(numbers)} for {seconds} s"


def names_in(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


async def test_the_file_is_replaced_every_eight_minutes(tmp_path: Path) -> None:
    clock, path = FakeClock(), tmp_path / "token"
    seen = []
    async with renewed_token_file(path, numbered(), clock=clock):
        for pause in (479, 2, 477, 4):
            seen.append(path.read_text())
            await clock.sleep(pause)
        seen.append(path.read_text())

    assert seen == [f"token {number} for 600 s" for number in (1, 1, 2, 2, 3)]


async def test_only_its_owner_can_read_the_file(tmp_path: Path) -> None:
    clock, path = FakeClock(), tmp_path / "token"
    async with renewed_token_file(path, numbered(), clock=clock):
        modes = [stat.S_IMODE(path.stat().st_mode)]
        await clock.sleep(481)
        modes.append(stat.S_IMODE(path.stat().st_mode))

    assert modes == [0o600, 0o600]


async def test_readers_of_an_open_file_keep_the_whole_old_token(tmp_path: Path) -> None:
    clock, path = FakeClock(), tmp_path / "token"
    async with renewed_token_file(path, numbered(), clock=clock):
        with path.open() as file:
            await clock.sleep(481)
            assert file.read() == "token 1 for 600 s"
        assert names_in(tmp_path) == ["token"]


async def test_a_failed_replacement_is_logged_and_tried_again(tmp_path: Path) -> None:
    clock, folder = FakeClock(), tmp_path / "folder"
    folder.mkdir()
    path = folder / "token"
    with capture_logs() as lines:
        async with renewed_token_file(path, numbered(), clock=clock):
            folder.rename(tmp_path / "elsewhere")
            await clock.sleep(481)
            (tmp_path / "elsewhere").rename(folder)
            assert path.read_text() == "token 1 for 600 s"
            await clock.sleep(10)
            assert path.read_text() == "token 3 for 600 s"

    (line,) = lines
    assert line == {
        "event": "cannot replace the token file",
        "file": str(path),
        "error": "No such file or directory",
        "log_level": "error",
    }


async def test_a_file_that_cannot_be_written_at_first_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        async with renewed_token_file(tmp_path / "no" / "token", numbered(), clock=FakeClock()):
            pass
