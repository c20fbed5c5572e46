"""Loads certificates and keys from memory into OpenSSL, which reads only files."""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_BEGIN_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
_PRIVATE_KEY = b"PRIVATE KEY-----"
_MISMATCH = {"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"}


class PemError(ValueError):
    """Unusable certificates or an unusable key.

    The message is the predicate of a sentence. ``of_key``: the key is the cause, or does not match.
    """

    def __init__(self, message: str, *, of_key: bool = False) -> None:
        self.of_key = of_key
        super().__init__(message)


class _EncryptedError(Exception):
    """The key is encrypted."""


def load_pair(context: ssl.SSLContext, *, certificate: bytes, key: bytes) -> None:
    """Load the certificate chain and its key, both PEM. Raises :class:`PemError`."""
    check_certificates(certificate)
    with _file(certificate) as certificate_file, _file(key) as key_file:
        try:
            context.load_cert_chain(certificate_file, key_file, _refuse_to_decrypt)
        except _EncryptedError:
            error = PemError("is encrypted; expected a private key without a password", of_key=True)
        except ssl.SSLError as cause:
            error = _pair_error(cause.reason or "")
        else:
            return
    raise error  # outside the handlers, because their exceptions may quote the file


def load_client_ca(context: ssl.SSLContext, certificates: bytes) -> None:
    """Trust the CA ``certificates``, PEM, of clients. Raises :class:`PemError`.

    As in Go, each of them is a trust anchor, even if its issuer is not among them.
    """
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    _load_trusted(context, certificates)


def check_client_ca(certificates: bytes) -> None:
    """Raise :class:`PemError` if ``certificates`` cannot verify any client certificate."""
    context = check_certificates(certificates)
    authorities = context.get_ca_certs()
    counts = context.cert_store_stats()
    if counts["crl"]:
        raise PemError("contains a CRL, which is not supported; remove it")
    ends = [ssl.cert_time_to_seconds(str(each["notAfter"])) for each in authorities]
    if ends and counts["x509"] == len(ends) and max(ends) < time.time():
        raise PemError("contains only expired certificates; expected a CA that is valid now")


def _refuse_to_decrypt() -> str:
    # Without this callback, OpenSSL would ask for the password on the terminal.
    raise _EncryptedError


def _pair_error(reason: str) -> PemError:
    if reason in _MISMATCH:
        return PemError("does not match the certificate; expected its private key", of_key=True)
    if reason.endswith(("_TOO_SMALL", "_TOO_WEAK")):
        return PemError(
            "has a key or signature that OpenSSL considers too weak; use a stronger one"
        )
    return PemError("is not a private key; expected one in PEM format", of_key=True)


def check_certificates(certificates: bytes) -> ssl.SSLContext:
    """Return a context that trusts ``certificates``, PEM. Raises :class:`PemError`."""
    if not certificates.strip():
        raise PemError("is empty; expected certificates in PEM format")
    if _BEGIN_CERTIFICATE not in certificates:
        raise PemError("contains no certificate; expected certificates in PEM format")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _load_trusted(context, certificates)
    return context


def check_key(key: bytes) -> None:
    """Raise :class:`PemError` if ``key`` is obviously not a private key in PEM format."""
    if not key.strip():
        raise PemError("is empty; expected a private key in PEM format", of_key=True)
    if _PRIVATE_KEY not in key:
        raise PemError("contains no private key; expected one in PEM format", of_key=True)


def _load_trusted(context: ssl.SSLContext, certificates: bytes) -> None:
    with _file(certificates) as name:
        try:
            context.load_verify_locations(cafile=name)
        except ssl.SSLError:
            pass
        else:
            return
    raise PemError("is not a valid set of certificates; expected PEM format")


@contextlib.contextmanager
def _file(data: bytes) -> Iterator[str]:
    """Return the name of a file with ``data`` that only this process reads, never on a disk.

    Where the kernel has no files in memory, it is a temporary file of mode 0600.
    """
    try:
        descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
        name = f"/proc/self/fd/{descriptor}"
        if not Path(name).exists():
            os.close(descriptor)
            raise FileNotFoundError
    except (AttributeError, OSError):
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            yield file.name
        return
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        yield name
