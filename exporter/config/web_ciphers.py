"""Cipher suites by their names in Go's ``crypto/tls``, which the web configuration uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.config.web_section import Section

TLS_1_2 = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
}
"""OpenSSL's name of each suite that ``tls.CipherSuites()`` returns for TLS 1.2 (Go 1.22)."""
TLS_1_3 = (
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
)
INSECURE = frozenset(
    {
        "TLS_RSA_WITH_RC4_128_SHA",
        "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
        "TLS_RSA_WITH_AES_128_CBC_SHA",
        "TLS_RSA_WITH_AES_256_CBC_SHA",
        "TLS_RSA_WITH_AES_128_CBC_SHA256",
        "TLS_RSA_WITH_AES_128_GCM_SHA256",
        "TLS_RSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA",
        "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
        "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
        "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
    }
)
"""The suites that ``tls.InsecureCipherSuites()`` returns (Go 1.22)."""


def openssl_ciphers(section: Section) -> tuple[str | None, bool]:
    """Return the suites for TLS 1.2 in OpenSSL's notation, and whether only TLS 1.3 has suites.

    None stands for the default suites.
    """
    names = section.texts("cipher_suites")
    if not names:
        return None, False
    for position, name in enumerate(names):
        path = (*section.path, "cipher_suites", position)
        if name in INSECURE:
            section.reading.add_problem(path, f"`{name}` is insecure; remove it")
        elif name not in TLS_1_2 and name not in TLS_1_3:
            section.reading.add_problem(
                path, "is not a known cipher suite; expected a name that Go's crypto/tls supports"
            )
    if 0 < len(set(names) & set(TLS_1_3)) < len(TLS_1_3):
        section.add_problem(
            "cipher_suites",
            "has only some suites of TLS 1.3, which Python cannot choose individually; list all"
            f" three or none of {', '.join(TLS_1_3)}",
        )
    chosen = [TLS_1_2[name] for name in names if name in TLS_1_2]
    return ":".join(chosen) or None, not chosen and set(names) >= set(TLS_1_3)
