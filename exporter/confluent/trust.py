"""The trusted CA certificates, which are loaded again when their files change."""

from __future__ import annotations

import os
import ssl
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import httpx
import structlog

from exporter.config import ca_context, version_of
from exporter.errors import StartUpError

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from exporter.config import Tls

log = structlog.get_logger(__name__)
_MAX_FILES = 10_000
"""Files in a directory that are watched for changes."""


class Trust:
    """The TLS context for one value of the settings ``tls``. Organizations share it: it is large.

    Without ``tls.ca_file``, the certificates come from ``SSL_CERT_FILE`` in ``environ``, else from
    ``SSL_CERT_DIR``, else from certifi, as in httpx. Raises
    :class:`~exporter.errors.StartUpError` if they cannot be read.
    """

    def __init__(self, tls: Tls, environ: Mapping[str, str]) -> None:
        self.is_strict = tls.strict
        self.source = ""
        """The setting or variable that names the certificates; empty for certifi."""
        self._file = tls.ca_file
        self._folders: tuple[Path, ...] = ()
        if tls.ca_file is not None:
            self.source = "tls.ca_file"
        elif environ.get("SSL_CERT_FILE"):
            self.source, self._file = "SSL_CERT_FILE", Path(environ["SSL_CERT_FILE"])
        elif environ.get("SSL_CERT_DIR"):
            self.source = "SSL_CERT_DIR"
            self._folders = tuple(map(Path, environ["SSL_CERT_DIR"].split(os.pathsep)))
        self._version = self._version_now()
        self._problem = ""
        self._lock = Lock()
        try:
            self.context = self._read()
        except ValueError as error:
            raise StartUpError(f"`{self.source}`: {error}") from None

    def renew(self, *, even_if_unchanged: bool = False) -> None:
        """Replace ``context`` if the files have changed; keep it while they cannot be read.

        Blocks. Safe to call from several threads.
        """
        with self._lock:
            self._renew(even_if_unchanged=even_if_unchanged)

    def _renew(self, *, even_if_unchanged: bool) -> None:
        version = self._version_now()
        if version == self._version and not even_if_unchanged:
            return
        try:
            context = self._read()
        except ValueError as error:
            if str(error) != self._problem:
                self._problem = str(error)
                log.error(  # noqa: TRY400 # a traceback adds nothing
                    "CA certificates cannot be read; the previous ones stay in use",
                    setting=self.source,
                    error=self._problem,
                )
            return
        self.context, self._version, self._problem = context, version, ""
        if self.source:
            log.info("CA certificates loaded", setting=self.source)

    def _read(self) -> ssl.SSLContext:
        if self._file is not None:
            try:
                context = ca_context(self._file)
            except ValueError as error:
                raise ValueError(f"the file {self._file} {error}") from None
        elif self._folders:
            if not any(folder.is_dir() for folder in self._folders):
                raise ValueError("the directory does not exist")
            context = ssl.create_default_context(capath=os.pathsep.join(map(str, self._folders)))
        else:
            context = httpx.create_ssl_context(trust_env=False)
        # Python 3.13 sets both by default, older versions neither.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
        if not self.is_strict:
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context

    def _version_now(self) -> Hashable:
        """Return a value that changes when a file is written, replaced, added or removed."""
        if self._file is not None:
            return version_of(self._file)
        return tuple(_versions_in(folder) for folder in self._folders)


def _versions_in(folder: Path) -> Hashable:
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in islice(entries, _MAX_FILES))
    except OSError:
        return None
    return tuple((name, version_of(folder / name)) for name in names)


class TrustStore:
    """Returns the same :class:`Trust` for the same settings while it is in use."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._trusts: WeakValueDictionary[Tls, Trust] = WeakValueDictionary()

    def of(self, tls: Tls) -> Trust:
        """Return the certificates for ``tls``. Raises :class:`~exporter.errors.StartUpError`."""
        trust = self._trusts.get(tls)
        if trust is None:
            trust = self._trusts[tls] = Trust(tls, self._environ)
        return trust

    def renew(self) -> None:
        """Load all certificates in use again."""
        for trust in list(self._trusts.values()):
            trust.renew(even_if_unchanged=True)
