"""Which files of CA certificates are accepted, and which of their certificates are trusted."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from exporter.config import ca_context
from tests.certificates import authority
from tests.programs import program

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Bundles:
    """Two CA certificates, and files made of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.first = authority(folder, "first").certificate.read_bytes()
        self.second = authority(folder, "second").certificate.read_bytes()

    def converted(self, *options: str) -> bytes:
        """Return the first certificate, converted by ``openssl x509``."""
        source = self._folder / "first.pem"
        command = [program("openssl", package="openssl"), "x509", "-in", str(source), *options]
        return subprocess.run(command, check=True, capture_output=True).stdout

    def trusted(self, bundle: bytes) -> Sequence[str]:
        """Return the names of the CAs that the exporter trusts with ``bundle`` as ``ca_file``."""
        path = self._folder / "bundle.pem"
        path.write_bytes(bundle)
        found = [str(each["subject"]) for each in ca_context(path).get_ca_certs()]
        return sorted(name for name in ("first", "second") for each in found if name in each)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Bundles:
    return Bundles(tmp_path_factory.mktemp("certificates"))


@pytest.mark.integration
def test_all_certificates_of_a_bundle_are_trusted(bundles: Bundles) -> None:
    both = bundles.first + bundles.second
    for bundle in (
        both,
        both.replace(b"\n", b"\r\n"),
        b"# Private CAs\n" + bundles.first + "# Müller\n".encode() + bundles.second,
        "# Müller\n".encode("latin-1") + both,
        b"\xef\xbb\xbf" + both.rstrip(b"\n"),
        bundles.converted("-text") + bundles.second,
    ):
        assert bundles.trusted(bundle) == ["first", "second"]


@pytest.mark.integration
def test_an_openssl_trusted_certificate_is_trusted(bundles: Bundles) -> None:
    trusted = bundles.converted("-trustout", "-addtrust", "serverAuth")
    assert b"BEGIN TRUSTED CERTIFICATE" in trusted
    assert bundles.trusted(trusted) == ["first"]
    assert bundles.trusted(trusted + bundles.second) == ["first", "second"]


@pytest.mark.integration
def test_der_and_truncated_bundles_are_rejected(bundles: Bundles) -> None:
    for bundle in (
        bundles.converted("-outform", "DER"),
        bundles.first + bundles.second[:200],
        bundles.first.rstrip(b"\n") + bundles.second,
    ):
        with pytest.raises(ValueError, match="is not a valid set of certificates"):
            bundles.trusted(bundle)
