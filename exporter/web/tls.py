"""The TLS settings of the server as OpenSSL uses them."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.config.pem import load_client_ca, load_pair
from exporter.config.web_config import ClientAuth

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.config.web_config import TlsConfig

_VERIFY = {
    ClientAuth.NONE: ssl.CERT_NONE,
    ClientAuth.OPTIONAL: ssl.CERT_OPTIONAL,
    ClientAuth.REQUIRED: ssl.CERT_REQUIRED,
}


@dataclass(frozen=True)
class TlsContext:
    """The settings of a connection. Immutable: other settings are another context."""

    context: ssl.SSLContext
    allowed_sans: frozenset[str]
    """Names of accepted client certificates; empty accepts every verified certificate."""

    def allows(self, certificate: Mapping[str, object] | None) -> bool:
        """Whether a client with the verified ``certificate`` is accepted.

        ``certificate`` is the result of ``SSLObject.getpeercert()``: None or empty without one.
        """
        if not self.allowed_sans:
            return True
        names = (certificate or {}).get("subjectAltName", ())
        if not isinstance(names, tuple):
            return False
        return any(_normal(value) in self.allowed_sans for kind, value in names if kind in _KINDS)


_KINDS = frozenset({"DNS", "email", "IP Address", "URI"})


def tls_context(config: TlsConfig) -> TlsContext:
    """Return the context for ``config``, with which no session can be resumed.

    Resumption would skip the verification of a client certificate whose CA was removed. Raises
    :class:`~exporter.config.pem.PemError`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = config.min_version
    context.maximum_version = config.max_version
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.num_tickets = 0
    if config.prefer_server_ciphers:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if config.ciphers is not None:
        context.set_ciphers(config.ciphers)
    if config.curve is not None:
        context.set_ecdh_curve(config.curve)
    context.set_alpn_protocols(["http/1.1"])
    load_pair(context, certificate=config.certificate, key=config.key)
    if config.client_ca is not None:
        load_client_ca(context, config.client_ca)
    context.verify_mode = _VERIFY[config.client_auth]
    return TlsContext(context, frozenset(map(_normal, config.client_allowed_sans)))


def _normal(name: object) -> str:
    """Return ``name``; an IP address in its shortest form, since OpenSSL prints ``0:0:…:1``."""
    text = str(name).strip()
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text
