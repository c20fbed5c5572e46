"""Files that readers may open at any moment."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from exporter.errors import StartUpError

if TYPE_CHECKING:
    from collections.abc import Iterator

_EVERYBODY_READS = 0o644  # the node exporter runs as another user


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Yield a file to write; at the end of the context it is ``path``, in one step.

    A reader of ``path`` sees the old content or the new one. Raises
    :class:`~exporter.errors.StartUpError`, at once if nothing can be written there; after any error
    the old content stays.
    """
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with contextlib.ExitStack() as undo:
            descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            undo.callback(os.unlink, name)
            with os.fdopen(descriptor, "wb") as file:
                yield file
                os.fchmod(file.fileno(), _EVERYBODY_READS)
            Path(name).replace(path)
            undo.pop_all()
    except OSError as error:
        raise StartUpError(f"cannot write {path}: {error.strerror or error}") from None
