"""The TLS settings decide which clients can connect."""

from __future__ import annotations

import ssl
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exporter.config.pem import PemError
from exporter.config.web_config import ClientAuth, TlsConfig
from exporter.web.tls import TlsContext, tls_context
from tests.web.certificates import Authority
from tests.web.handshakes import handshake, refused

if TYPE_CHECKING:
    from pathlib import Path

Authorities = tuple[Authority, Authority]


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Authorities:
    folder = tmp_path_factory.mktemp("certificates")
    return Authority(folder, "ca"), Authority(folder, "other")


@pytest.fixture(scope="module")
def config(authorities: Authorities) -> TlsConfig:
    chain, key = authorities[0].server()
    return TlsConfig(chain.read_bytes(), key.read_bytes())


def test_a_client_connects_with_tls_1_3_and_no_session_can_be_resumed(
    config: TlsConfig, authorities: Authorities
) -> None:
    tls = tls_context(config)
    assert handshake(tls, authorities[0].client_context())[0].version() == "TLSv1.3"
    assert tls.context.options & ssl.OP_NO_TICKET
    assert tls.context.num_tickets == 0
    assert tls.allows(None)


def test_only_clients_of_the_ca_connect_where_certificates_are_required(
    config: TlsConfig, authorities: Authorities
) -> None:
    ca, other = authorities
    required = replace(
        config, client_ca=ca.certificate.read_bytes(), client_auth=ClientAuth.REQUIRED
    )
    mine, foreign = ca.issue("scraper", file="scraper"), other.issue("scraper", file="foreign")
    tls = tls_context(required)
    assert not refused(tls, ca.client_context(*mine))
    assert refused(tls, ca.client_context())
    assert refused(tls, ca.client_context(*foreign))


def test_an_optional_certificate_is_verified_if_there_is_one(
    config: TlsConfig, authorities: Authorities
) -> None:
    ca, other = authorities
    tls = tls_context(
        replace(config, client_ca=ca.certificate.read_bytes(), client_auth=ClientAuth.OPTIONAL)
    )
    assert not refused(tls, ca.client_context())
    assert refused(tls, ca.client_context(*other.issue("scraper", file="foreign")))


@pytest.mark.parametrize(
    ("issued", "allowed"),
    [
        ("scraper.example", "scraper.example"),
        ("10.0.0.1", "10.0.0.1"),
        ("::1", "::1"),  # OpenSSL prints 0:0:0:0:0:0:0:1
        ("2001:db8::a", "2001:DB8:0::A"),
        ("ops@example.com", "ops@example.com"),
    ],
)
def test_a_client_certificate_needs_one_of_the_names(
    config: TlsConfig, authorities: Authorities, issued: str, allowed: str
) -> None:
    ca = authorities[0]
    settings = replace(
        config,
        client_ca=ca.certificate.read_bytes(),
        client_auth=ClientAuth.REQUIRED,
        client_allowed_sans=("unused", allowed),
    )
    tls = tls_context(settings)
    client = ca.client_context(*ca.issue("also.example", issued, file="named"))
    certificate = handshake(tls, client)[0].getpeercert()
    assert tls.allows(certificate)
    others = tls_context(replace(settings, client_allowed_sans=("also", "xscraper.example")))
    assert not others.allows(certificate)


@pytest.mark.parametrize("certificate", [None, {}, {"subjectAltName": None}])
def test_names_are_not_found_without_a_certificate(
    config: TlsConfig, authorities: Authorities, certificate: dict[str, object] | None
) -> None:
    del authorities
    assert not TlsContext(tls_context(config).context, frozenset({"a"})).allows(certificate)


def test_uris_are_names_and_other_kinds_are_not() -> None:
    tls = TlsContext(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), frozenset({"spiffe://a/b"}))
    assert tls.allows({"subjectAltName": (("DNS", "x"), ("URI", "spiffe://a/b"))})
    assert not tls.allows({"subjectAltName": (("Registered ID", "spiffe://a/b"),)})
    assert not tls.allows({"subject": ((("commonName", "spiffe://a/b"),),)})


@pytest.mark.parametrize(
    ("curve", "code"),
    [("prime256v1", "P-256"), ("secp384r1", "P-384"), ("secp521r1", "P-521"), ("X25519", "X25519")],
)
def test_a_curve_is_the_only_one(
    config: TlsConfig, authorities: Authorities, curve: str, code: str
) -> None:
    tls = tls_context(replace(config, curve=curve))
    client = authorities[0].client_context()
    client.set_ecdh_curve(curve)
    assert not refused(tls, client), code
    client.set_ecdh_curve("secp521r1" if curve == "X25519" else "X25519")
    assert refused(tls, client)


AES128 = "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256"
AES256 = "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES256-GCM-SHA384"


@pytest.mark.parametrize(("preferred", "chosen"), [(True, "AES128"), (False, "AES256")])
def test_the_order_of_the_server_or_that_of_the_client_decides(
    config: TlsConfig, authorities: Authorities, *, preferred: bool, chosen: str
) -> None:
    client = authorities[0].client_context()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers(f"{AES256}:{AES128}")
    settings = replace(config, ciphers=f"{AES128}:{AES256}", prefer_server_ciphers=preferred)
    cipher = handshake(tls_context(settings), client)[0].cipher()
    assert cipher is not None
    assert chosen in cipher[0]


def test_older_and_newer_versions_are_refused(config: TlsConfig, authorities: Authorities) -> None:
    client = authorities[0].client_context()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    assert not refused(tls_context(config), client)
    assert refused(tls_context(replace(config, min_version=ssl.TLSVersion.TLSv1_3)), client)
    client = authorities[0].client_context()
    client.minimum_version = ssl.TLSVersion.TLSv1_3
    assert refused(tls_context(replace(config, max_version=ssl.TLSVersion.TLSv1_2)), client)


def test_a_key_of_another_certificate_is_refused(
    config: TlsConfig, authorities: Authorities
) -> None:
    _, key = authorities[1].server("other-server")
    with pytest.raises(PemError, match="does not match the certificate") as caught:
        tls_context(replace(config, key=key.read_bytes()))
    assert caught.value.of_key


def test_a_temporary_file_is_used_where_there_is_no_file_in_memory(
    config: TlsConfig, authorities: Authorities, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delattr("os.memfd_create")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert not refused(tls_context(config), authorities[0].client_context())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_not_resumed_with_other_settings(
    config: TlsConfig, authorities: Authorities, version: ssl.TLSVersion
) -> None:
    client = authorities[0].client_context()
    client.maximum_version = version
    _, before = handshake(tls_context(config), client)
    session = before.session
    assert session is not None
    assert not session.has_ticket
    after, _ = handshake(tls_context(config), client, session=session)
    assert not after.session_reused


def test_an_encrypted_key_of_the_old_format_is_refused_without_a_prompt(
    config: TlsConfig, authorities: Authorities
) -> None:
    del authorities
    key = (
        b"-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
        b"DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n"
        b"AAAAAAAAAAAAAAAAAAAAAA==\n-----END EC PRIVATE KEY-----\n"
    )
    with pytest.raises(PemError, match="is encrypted"):
        tls_context(replace(config, key=key))
