"""Files that readers may open at any moment."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from exporter.errors import StartUpError

_EVERYBODY_READS = 0o644  # the node exporter runs as another user


def write_in_one_step(path: Path, content: bytes) -> None:
    """Replace ``path`` by a file with ``content``; a reader sees the old one or the new one.

    Raises :class:`~exporter.errors.StartUpError`, with the old file untouched.
    """
    try:
        with contextlib.ExitStack() as undo:
            descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            undo.callback(os.unlink, name)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                os.fchmod(file.fileno(), _EVERYBODY_READS)
            Path(name).replace(path)
            undo.pop_all()
    except OSError as error:
        raise StartUpError(f"cannot write {path}: {error.strerror or error}") from None
