"""Files of CA certificates."""

from __future__ import annotations

import ssl
import stat
from functools import lru_cache
from typing import TYPE_CHECKING

from exporter.config.document import kind_of
from exporter.config.sources import surroundings

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import ValidationInfo

_LARGEST_FILE = 16 * 1024 * 1024  # bytes; every CA that browsers trust takes less than 1 MiB


def context_from(path: Path) -> ssl.SSLContext:
    """Return a client context that trusts the certificates in the PEM file at ``path``, no others.

    Raises :class:`ValueError` with the end of a sentence about the file.
    """
    try:
        # Before it is opened: opening a pipe waits for its writer.
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("is not a regular file; expected a file of certificates")
        if not 0 < found.st_size <= _LARGEST_FILE:
            problem = "is larger than 16 MiB" if found.st_size else "is empty"
            raise ValueError(f"{problem}; expected certificates in PEM format")
        context = ssl.create_default_context(cafile=str(path))
    except ssl.SSLError:
        raise ValueError("is not a complete set of certificates in PEM format") from None
    except FileNotFoundError:
        raise ValueError("does not exist") from None
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    if not context.cert_store_stats()["x509"]:
        raise ValueError("has no certificate in it; expected certificates in PEM format")
    return context


def version_of(path: Path) -> tuple[int, ...] | None:
    """Return what changes when the file at ``path`` is written or replaced; None if none exists."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def check_ca_file(value: object, info: ValidationInfo) -> Path:
    """Return the path that ``value`` stands for, if it is that of a file of certificates."""
    if not isinstance(value, str):
        raise ValueError(f"is {kind_of(value)}; expected the path of a file")  # noqa: TRY004 # pydantic reports it
    if not value.strip() or "\0" in value:
        raise ValueError("is not the path of a file; expected one such as `corporate-ca.pem`")
    path = surroundings(info).folder / value
    version = version_of(path)
    if version is None:
        raise ValueError(
            "the file does not exist; a relative path starts at the configuration's folder"
        )
    try:
        _check(path, version)
    except ValueError as error:
        raise ValueError(f"the file {error}") from None
    return path


@lru_cache(maxsize=16)  # hundreds of organizations may share a file
def _check(path: Path, _version: tuple[int, ...]) -> None:
    context_from(path)
