"""Archives whose bytes depend only on names, contents and one time."""

from __future__ import annotations

import gzip
import io
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def write_tar(path: Path, members: Mapping[str, bytes | Path], *, time: int) -> None:
    """Write a tar archive of the contents or files by name."""
    with path.open("wb") as file:
        _write(file, members, time)


def write_tar_gz(path: Path, members: Mapping[str, bytes | Path], *, time: int) -> None:
    """Write a tar archive as :func:`write_tar`, and compress it."""
    with (
        path.open("wb") as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=time) as compressed,
    ):
        _write(compressed, members, time)


def _write(file: io.BufferedIOBase, members: Mapping[str, bytes | Path], time: int) -> None:
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in sorted(members.items()):
            entry = tarfile.TarInfo(name)  # owner 0, permissions 0644
            entry.mtime = time
            if isinstance(content, bytes):
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
            else:
                entry.size = content.stat().st_size
                with content.open("rb") as opened:
                    archive.addfile(entry, opened)
