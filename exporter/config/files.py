"""Reads configuration and secret files, and replaces files."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from pathlib import Path
from typing import TypeAlias

FileVersion: TypeAlias = "tuple[int, ...] | None"
"""A value that changes when a file is written or replaced; None without a readable file."""


def read_file(path: Path, *, limit: int) -> bytes:
    """Return at most ``limit`` + 1 bytes of the regular file at ``path``.

    More than ``limit`` bytes mean that the file is too large. Follows symbolic links. Raises
    ``OSError``, and ``ValueError`` for a NUL in the path.
    """
    # Opening a FIFO would block until it has a writer, and its content is gone at the next reload.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "not a regular file but a pipe or a device")
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(limit + 1)
    finally:
        os.close(descriptor)


def replace_file(path: Path, data: bytes) -> None:
    """Replace the file at ``path`` atomically, readable and writable only for its owner.

    Raises ``OSError``; then the previous file stays.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    new = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        new.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink()
        raise


def version_of(path: Path | str) -> FileVersion:
    """Return the version of the file at ``path``, through symbolic links."""
    try:
        found = os.stat(path)  # noqa: PTH116 # half as slow, and called at every request
    except (OSError, ValueError):
        return None
    # The time of the last status change tells a file that was overwritten with its size and its
    # modification time preserved.
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
