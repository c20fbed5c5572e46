"""Reads ``tls_server_config`` of the web configuration."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from exporter.config.pem import (
    PemError,
    check_certificates,
    check_client_ca,
    check_key,
    load_pair,
)
from exporter.config.web_ciphers import openssl_ciphers
from exporter.config.web_values import ClientAuth, TlsConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.config.web_section import Section

SETTINGS = (
    "cert",
    "cert_file",
    "key",
    "key_file",
    "client_ca",
    "client_ca_file",
    "client_auth_type",
    "client_allowed_sans",
    "min_version",
    "max_version",
    "cipher_suites",
    "curve_preferences",
    "prefer_server_cipher_suites",
)
_ENABLES = SETTINGS[: SETTINGS.index("client_auth_type") + 1]
_LARGEST_FILE = 1024 * 1024  # bytes
_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_OBSOLETE = {"TLS10", "TLS11"}
_UNVERIFIED = {"RequestClientCert", "RequireAnyClientCert", "RequireClientCert"}
_CURVES = {
    "CurveP256": "prime256v1",
    "CurveP384": "secp384r1",
    "CurveP521": "secp521r1",
    "X25519": "X25519",
}
"""OpenSSL's names by those of Go."""


def read_tls(section: Section) -> TlsConfig | None:
    """Return the TLS settings; None without TLS, or if they have problems."""
    reader = _TlsReader(section)
    if any(section.text(key) for key in _ENABLES):
        reader.check_pair()
        reader.check_clients()
    return reader.config()


class _TlsReader:
    def __init__(self, section: Section) -> None:
        self._section = section
        self._certificate, self._key = self._pem("cert"), self._pem("key")
        self._client_ca = self._pem("client_ca")
        self._client_auth = self._read_client_auth()
        self._sans = section.texts("client_allowed_sans")
        self._min = self._version("min_version", ssl.TLSVersion.TLSv1_2)
        self._max = self._version("max_version", ssl.TLSVersion.TLSv1_3)
        self._curve = self._read_curve()
        self._prefer = section.boolean("prefer_server_cipher_suites", default=True)
        self._ciphers, only_tls_1_3 = openssl_ciphers(section)
        if self._min > self._max:
            section.add_problem("min_version", "is above `max_version`; expected TLS12")
        elif only_tls_1_3 and self._max < ssl.TLSVersion.TLSv1_3:
            section.add_problem(
                "cipher_suites", "has no suite of TLS 1.2, the only version enabled"
            )
        elif only_tls_1_3:
            self._min = ssl.TLSVersion.TLSv1_3
        if section.get("client_allowed_sans") == []:
            section.add_problem(
                "client_allowed_sans", "is an empty list; expected at least one name, or remove it"
            )
        if self._sans is not None and self._client_auth in {ClientAuth.NONE, ClientAuth.OPTIONAL}:
            section.add_problem(
                "client_allowed_sans",
                "requires `client_auth_type: RequireAndVerifyClientCert`; otherwise clients need no"
                " certificate",
            )

    def config(self) -> TlsConfig | None:
        if self._certificate is None or self._key is None or self._client_auth is None:
            return None
        return TlsConfig(
            certificate=self._certificate,
            key=self._key,
            client_ca=self._client_ca,
            client_auth=self._client_auth,
            client_allowed_sans=tuple(self._sans or ()),
            min_version=self._min,
            max_version=self._max,
            ciphers=self._ciphers,
            prefer_server_ciphers=self._prefer,
            curve=self._curve,
        )

    def check_pair(self) -> None:
        for kind, name in (("cert", "certificate"), ("key", "private key")):
            if not self._is_set(kind):
                # Point to a setting that is present but empty.
                written = self._section.get(f"{kind}_file") is not None
                path = (*self._section.path, f"{kind}_file") if written else self._section.path
                self._section.reading.add_problem(
                    path,
                    f"TLS needs a {name}; set one of `{kind}_file` and `{kind}`",
                )
        certificate, key = self._certificate, self._key
        usable = self._passes("cert", certificate, check_certificates)
        usable &= self._passes("key", key, check_key)
        if certificate is not None and key is not None and usable:
            try:
                load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), certificate=certificate, key=key)
            except PemError as error:
                self._add_pem_problem("key" if error.of_key else "cert", error)

    def check_clients(self) -> None:
        self._passes("client_ca", self._client_ca, check_client_ca)
        if self._client_auth is ClientAuth.NONE and self._is_set("client_ca"):
            self._section.add_problem(
                self._setting("client_ca"),
                "is not used without `client_auth_type`; set that to"
                " `RequireAndVerifyClientCert`, or remove this setting",
            )
        if self._client_auth in {ClientAuth.OPTIONAL, ClientAuth.REQUIRED} and not self._is_set(
            "client_ca"
        ):
            self._section.add_problem(
                "client_auth_type", "requires a CA for client certificates; set `client_ca_file`"
            )

    def _passes(self, kind: str, data: bytes | None, check: Callable[[bytes], object]) -> bool:
        try:
            if data is not None:
                check(data)
        except PemError as error:
            self._add_pem_problem(kind, error)
            return False
        return True

    def _is_set(self, kind: str) -> bool:
        return bool(self._section.text(kind) or self._section.text(f"{kind}_file"))

    def _setting(self, kind: str) -> str:
        return f"{kind}_file" if self._section.text(f"{kind}_file") else kind

    def _add_pem_problem(self, kind: str, error: PemError) -> None:
        setting = self._setting(kind)
        subject = "the file " if setting != kind else ""
        self._section.add_problem(setting, f"{subject}{error}")

    def _pem(self, kind: str) -> bytes | None:
        section = self._section
        inline, name = section.text(kind), section.text(f"{kind}_file")
        if inline and name:
            section.add_problem(
                f"{kind}_file", f"cannot be set together with `{kind}`; keep one of them"
            )
            return None
        if inline:
            if "-----BEGIN" not in inline:
                problem = f"is not PEM text; for the path of a file, use `{kind}_file`"
                section.add_problem(kind, problem)
                return None
            return inline.encode()
        if not name:
            return None
        if "-----BEGIN" in name:
            section.add_problem(f"{kind}_file", f"is PEM text instead of a path; use `{kind}`")
            return None
        try:
            return section.reading.read(name, limit=_LARGEST_FILE)
        except ValueError as error:
            section.add_problem(f"{kind}_file", str(error))
            return None

    def _read_client_auth(self) -> ClientAuth | None:
        text = self._section.text("client_auth_type")
        if text in _UNVERIFIED:
            self._section.add_problem(
                "client_auth_type",
                f"`{text}` is not supported, because Python cannot accept a certificate without"
                " verifying it; use `RequireAndVerifyClientCert` or `VerifyClientCertIfGiven`",
            )
            return None
        try:
            return ClientAuth(text or ClientAuth.NONE.value)
        except ValueError:
            expected = ", ".join(each.value for each in ClientAuth)
            self._section.add_problem(
                "client_auth_type", f"is not a known policy; expected one of {expected}"
            )
            return None

    def _version(self, key: str, default: ssl.TLSVersion) -> ssl.TLSVersion:
        text = self._section.text(key)
        if text in _OBSOLETE:
            self._section.add_problem(
                key, f"`{text}` is obsolete and not supported; expected TLS12 or TLS13"
            )
        elif text not in _VERSIONS and isinstance(self._section.get(key), str):
            self._section.add_problem(key, "is not a known TLS version; expected TLS12 or TLS13")
        return _VERSIONS.get(text, default)

    def _read_curve(self) -> str | None:
        names = self._section.texts("curve_preferences") or []
        for position, name in enumerate(names):
            if name not in _CURVES:
                self._section.reading.add_problem(
                    (*self._section.path, "curve_preferences", position),
                    f"is not a known curve; expected one of {', '.join(_CURVES)}",
                )
        if len(set(names)) > 1:
            self._section.add_problem(
                "curve_preferences",
                "has several curves, but Python can set only one; keep one, or remove the setting",
            )
        return _CURVES.get(names[0]) if names else None
