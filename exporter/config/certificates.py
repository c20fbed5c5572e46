"""Files of CA certificates."""

from __future__ import annotations

import ssl
import stat
from functools import lru_cache
from typing import TYPE_CHECKING

from exporter.config.files import version_of
from exporter.config.source_settings import path_setting, validation_context

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import ValidationInfo

_LARGEST_FILE = 16 * 1024 * 1024  # bytes; every CA that browsers trust takes less than 1 MiB


def ca_context(path: Path) -> ssl.SSLContext:
    """Return a client context that trusts only the certificates in the PEM file at ``path``.

    Raises :class:`ValueError` with the predicate of a message about the file.
    """
    try:
        # Before it is opened, since opening a FIFO blocks until it has a writer. OpenSSL reads the
        # file itself: from memory (``cadata``), it ignores TRUSTED CERTIFICATE blocks and CRLs.
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("is not a regular file; expected a file with certificates")
        if not 0 < found.st_size <= _LARGEST_FILE:
            problem = "is larger than 16 MiB" if found.st_size else "is empty"
            raise ValueError(f"{problem}; expected certificates in PEM format")
        context = ssl.create_default_context(cafile=str(path))
    except ssl.SSLError:
        raise ValueError("is not a valid set of certificates; expected PEM format") from None
    except FileNotFoundError:
        raise ValueError("does not exist") from None
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    if not context.cert_store_stats()["x509"]:
        raise ValueError("contains no certificate; expected certificates in PEM format")
    return context


def check_ca_file(value: object, info: ValidationInfo) -> Path:
    """Return ``value`` as an absolute path if it is a file with certificates."""
    path = path_setting(value, info, example="corporate-ca.pem")
    if not validation_context(info).reads_sources:
        return path
    version = version_of(path)
    if version is None:
        raise ValueError(
            "the file does not exist; relative paths start at the folder of the configuration"
        )
    try:
        _check(path, version)
    except ValueError as error:
        raise ValueError(f"the file {error}") from None
    return path


@lru_cache(maxsize=16)  # hundreds of organizations may share a file
def _check(path: Path, _version: tuple[int, ...]) -> None:
    ca_context(path)
