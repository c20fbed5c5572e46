"""Reads configuration and secret files, and replaces files."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PRIVATE = 0o600
_MAX_NAME_PREFIX = 50  # characters; file systems limit the length of a name

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
    """Replace the file at ``path`` as :func:`replacing` does; only its owner may read it."""
    with replacing(path, mode=_PRIVATE) as file:
        write_all(file, data)


@contextlib.contextmanager
def replacing(path: Path, *, mode: int) -> Iterator[BinaryIO]:
    """Yield an unbuffered file that atomically replaces the one at ``path``, which may not exist.

    It does so at the end of the context; after an error, the previous file stays. ``mode``: that of
    the new file, less the umask. A file that root replaces keeps its owner. Raises ``OSError``.
    """
    new = path.with_name(f".{path.name[:_MAX_NAME_PREFIX]}.{secrets.token_hex(8)}")
    with contextlib.ExitStack() as undo:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        undo.callback(new.unlink, missing_ok=True)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            yield file
            # Only root may change the owner. A command of root must not take the exporter's file.
            with contextlib.suppress(FileNotFoundError, PermissionError):
                previous = path.stat()
                os.fchown(descriptor, previous.st_uid, previous.st_gid)
            os.fsync(descriptor)  # else a crash of the machine could leave an empty file
        new.replace(path)
        undo.pop_all()


def write_all(file: BinaryIO, data: bytes) -> None:
    """Write all of ``data``; one write to an unbuffered file may write only a part."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def version_of(path: Path | str) -> FileVersion:
    """Return the version of the file at ``path``, through symbolic links."""
    try:
        found = os.stat(path)  # noqa: PTH116 # half as slow, and called at every request
    except (OSError, ValueError):
        return None
    # The time of the last status change tells a file that was overwritten with its size and its
    # modification time preserved.
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
