"""Output that goes to a file, a FIFO or a device."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from exporter.errors import StartUpError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PRIVATE, _AS_THE_UMASK_SAYS = 0o600, 0o666
_NAME_KEPT = 50  # characters of a temporary file's name; the file system limits the whole


@contextlib.contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """Yield a file whose content is at ``path`` at the end of the context.

    A regular file is replaced in one step: readers see the old content or the new one, and after an
    error the old one stays. It keeps its mode, and its owner as far as permitted. Symbolic links
    are followed. FIFOs and devices are written to as they are.

    Raises :class:`~exporter.errors.StartUpError`, at once if ``path`` cannot be opened.
    """
    try:
        try:
            known = path.stat()
        except FileNotFoundError:
            known = None
        if known is not None and stat.S_ISDIR(known.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if known is None or stat.S_ISREG(known.st_mode):
            with _replacing(Path(os.path.realpath(path)), known) as file:
                yield file
        else:
            with os.fdopen(_open_special(path, known), "wb") as file:
                yield file
    except OSError as error:
        raise StartUpError(f"cannot write {path}: {error.strerror or error}") from None


@contextlib.contextmanager
def _replacing(path: Path, known: os.stat_result | None) -> Iterator[BinaryIO]:
    """Yield a new file that takes the place of ``path``, a regular file if it is ``known``."""
    name = path.with_name(f".{path.name[:_NAME_KEPT]}.{secrets.token_hex(8)}")
    mode = _PRIVATE if known else _AS_THE_UMASK_SAYS
    with contextlib.ExitStack() as undo:
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        undo.callback(name.unlink)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            if known is not None:
                with contextlib.suppress(PermissionError):  # of another owner, as root only
                    os.fchown(descriptor, known.st_uid, known.st_gid)
                os.fchmod(descriptor, stat.S_IMODE(known.st_mode))
        name.replace(path)
        undo.pop_all()


def _open_special(path: Path, known: os.stat_result) -> int:
    """Return a descriptor of a FIFO or a device."""
    try:
        # Without O_NONBLOCK this would wait for the reader of a FIFO, without end.
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        if error.errno == errno.ENXIO and stat.S_ISFIFO(known.st_mode):
            raise StartUpError(
                f"cannot write {path}: no process reads this FIFO. Start its reader first"
            ) from None
        raise
    os.set_blocking(descriptor, True)
    return descriptor
