"""Certificates of private CAs for servers and clients, made by trustme."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import trustme

if TYPE_CHECKING:
    from pathlib import Path


class Authority:
    """A CA; its certificate, and those that it issues, are files in ``folder``."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._ca = trustme.CA(organization_name=name)
        self.folder = folder
        self.certificate = folder / f"{name}.pem"
        self._ca.cert_pem.write_to_path(self.certificate)

    def issue(self, *names: str, file: str, **options: Any) -> tuple[Path, Path]:
        """Issue a certificate for ``names``; return the files with its chain and its key.

        ``options``: of trustme's ``issue_cert``.
        """
        issued = self._ca.issue_cert(*names, **options)
        chain, key = self.folder / f"{file}.crt", self.folder / f"{file}.key"
        chain.write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(key)
        return chain, key

    def server(self, file: str = "server") -> tuple[Path, Path]:
        """Issue a certificate for a server on the loopback."""
        return self.issue("localhost", "127.0.0.1", "::1", file=file)

    def client_context(self, chain: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
        """Return the settings of a client that trusts this CA and has perhaps a certificate."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        if chain is not None:
            context.load_cert_chain(chain, key)
        return context
