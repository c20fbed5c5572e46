"""Certificates of private CAs, made by the ``openssl`` command."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.programs import program

if TYPE_CHECKING:
    from pathlib import Path

_SETTINGS = """
[req]
distinguished_name = name
[name]
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[lax_ca]
basicConstraints = CA:TRUE
keyUsage = keyCertSign
subjectKeyIdentifier = hash
[server]
basicConstraints = CA:FALSE
subjectAltName = DNS:localhost, DNS:api.example.invalid, IP:127.0.0.1
authorityKeyIdentifier = keyid
"""
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


@dataclass(frozen=True)
class Authority:
    """A CA and a certificate that it has issued for ``localhost`` and 127.0.0.1."""

    certificate: Path
    """The CA certificate, in PEM format."""
    _issued: Path
    _key: Path

    def text(self) -> str:
        return self.certificate.read_text()

    def subject_hash(self) -> str:
        """The file name of the CA in a certificate directory, without its suffix."""
        return _openssl("x509", "-hash", "-noout", f"-in={self.certificate}").strip()

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._issued, self._key)
        return context


def authority(folder: Path, name: str, *, basic_constraints_critical: bool = True) -> Authority:
    """Make a CA called ``name`` in ``folder``."""
    settings = folder / "openssl.cnf"
    settings.write_text(_SETTINGS)
    ca, ca_key, issued, key, request = (
        folder / f"{name}.{ending}" for ending in ("pem", "key", "server.pem", "server.key", "csr")
    )
    extensions = "ca" if basic_constraints_critical else "lax_ca"
    config = ("-config", str(settings))
    new_ca = ("-x509", "-days", "2", "-subj", f"/CN={name}", "-extensions", extensions)
    _openssl("req", *new_ca, *_KEY, *config, "-keyout", str(ca_key), "-out", str(ca))
    _openssl(
        "req", "-subj", "/CN=server", *_KEY, *config, "-keyout", str(key), "-out", str(request)
    )
    signing = ("-CA", str(ca), "-CAkey", str(ca_key), "-set_serial", "1", "-days", "1")
    form = ("-extfile", str(settings), "-extensions", "server")
    _openssl("x509", "-req", "-in", str(request), *signing, *form, "-out", str(issued))
    return Authority(ca, issued, key)


def _openssl(*arguments: str) -> str:
    command = [program("openssl", package="openssl"), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
