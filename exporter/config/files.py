"""The files that a configuration consists of."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def read_file(path: Path, *, limit: int) -> bytes:
    """Return the content of the regular file at ``path``; if longer than ``limit``, a byte more.

    Symbolic links are followed. Raises ``OSError``, and ``ValueError`` for a NUL in the path.
    """
    # Opening a pipe would wait for its writer, and what was read once is not there at a reload.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "not a regular file, but a pipe or a device")
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(limit + 1)
    finally:
        os.close(descriptor)
