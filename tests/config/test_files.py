"""Files that are replaced."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from exporter.config.files import replace_file, replacing

if TYPE_CHECKING:
    from pathlib import Path

LONGEST_NAME = "n" * 255
"""Of a file on the usual file systems."""


def test_a_file_with_the_longest_name_is_replaced_only_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / LONGEST_NAME
    path.write_bytes(b"before")
    path.chmod(0o644)
    replace_file(path, b"after")
    assert path.read_bytes() == b"after"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == [LONGEST_NAME]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change the owner of a file")
def test_root_does_not_take_a_file_from_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")
    os.chown(path, 65532, 65533)
    replace_file(path, b"after")
    assert (path.stat().st_uid, path.stat().st_gid) == (65532, 65533)


def test_after_an_error_the_previous_file_stays_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")
    with pytest.raises(OSError, match="full"):
        _fill(path)
    assert path.read_bytes() == b"before"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def _fill(path: Path) -> None:
    with replacing(path, mode=0o600) as file:
        file.write(b"half of")
        raise OSError("full")
