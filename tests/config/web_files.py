"""Certificates and keys for the tests of the web configuration, made at test time."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from tests.web.certificates import Authority

if TYPE_CHECKING:
    from pathlib import Path

_PEM = serialization.Encoding.PEM
_PKCS8 = serialization.PrivateFormat.PKCS8
HASH = "$2b$10$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyzABCDE"
"""In the form of a bcrypt hash; of no known password."""


def write_files(folder: Path) -> None:
    """Write usable and unusable files of each kind to ``folder``."""
    authority = Authority(folder)
    chain, _ = authority.server()
    authority.server("other")
    (folder / "truncated.crt").write_bytes(chain.read_bytes()[:500])
    (folder / "encrypted.key").write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            _PEM, _PKCS8, serialization.BestAvailableEncryption(b"hush")
        )
    )
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505 # that is what the test is about
    _self_signed(folder, "weak", weak, days=1)
    _self_signed(folder, "expired", ec.generate_private_key(ec.SECP256R1()), days=-1)
    _revoking(folder)
    (folder / "broken.key").write_text(
        "-----BEGIN PRIVATE KEY-----\nHIDDEN==\n-----END PRIVATE KEY-----\n"
    )
    (folder / "text").write_text("HIDDEN")
    (folder / "empty").touch()
    (folder / "large").write_bytes(bytes(1024 * 1024 + 1))
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")


def _self_signed(
    folder: Path, name: str, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, *, days: int
) -> None:
    """Write the certificate of a CA that is valid until ``days`` from now."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    end = datetime.now(UTC) + timedelta(days=days)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(end - timedelta(days=3))
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    for suffix in (".crt", ".pem"):
        (folder / f"{name}{suffix}").write_bytes(certificate.public_bytes(_PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(_PEM, _PKCS8, serialization.NoEncryption())
    )


def _revoking(folder: Path) -> None:
    """Write a CA with a list of revoked certificates."""
    key = ec.generate_private_key(ec.SECP256R1())
    _self_signed(folder, "revoking", key, days=1)
    certificate = x509.load_pem_x509_certificate((folder / "revoking.pem").read_bytes())
    now = datetime.now(UTC)
    revoked = (
        x509.CertificateRevocationListBuilder(certificate.subject, now, now + timedelta(days=1))
        .sign(key, hashes.SHA256())
        .public_bytes(_PEM)
    )
    with (folder / "revoking.pem").open("ab") as file:
        file.write(revoked)
