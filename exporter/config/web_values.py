"""The web configuration: TLS, headers, users and rate limit of the HTTP server.

The format is that of prometheus/exporter-toolkit, which most exporters share.
"""

from __future__ import annotations

import enum
import ssl
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class ClientAuth(enum.Enum):
    """Whether clients need a certificate. The values are those of the setting."""

    NONE = "NoClientCert"
    OPTIONAL = "VerifyClientCertIfGiven"
    REQUIRED = "RequireAndVerifyClientCert"


@dataclass(frozen=True)
class TlsConfig:
    """How connections are encrypted, and which client certificates are accepted."""

    certificate: bytes = field(repr=False)
    """The certificate and its intermediate certificates, as PEM."""
    key: bytes = field(repr=False)
    """The private key of the certificate, as unencrypted PEM."""
    client_ca: bytes | None = field(default=None, repr=False)
    """The CA certificates of clients, as PEM. None if client certificates are not used."""
    client_auth: ClientAuth = ClientAuth.NONE
    client_allowed_sans: tuple[str, ...] = ()
    """Accept only client certificates with one of these names; empty accepts all."""
    min_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    max_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
    ciphers: str | None = None
    """The cipher suites of TLS 1.2 in OpenSSL's notation; None for Python's defaults."""
    prefer_server_ciphers: bool = True
    curve: str | None = None
    """OpenSSL's name of the only group for the key exchange; None for OpenSSL's groups."""


@dataclass(frozen=True)
class WebRateLimit:
    """A token bucket for all requests: one every ``interval``, and ``burst`` at once."""

    interval: float
    """Seconds, above 0."""
    burst: int
    """At least 1."""


@dataclass(frozen=True)
class WebConfig:
    """A valid web configuration. Without arguments, that of an empty file."""

    tls: TlsConfig | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Headers of every response."""
    users: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    """bcrypt hashes by user name; empty if no user is needed."""
    rate_limit: WebRateLimit | None = None

    @property
    def authenticates(self) -> bool:
        """Whether every client needs a user or a certificate."""
        certificates = self.tls is not None and self.tls.client_auth is ClientAuth.REQUIRED
        return bool(self.users) or certificates

    def describe(self) -> str:
        """Return a summary, such as "TLS with required client certificates, 2 users"."""
        if self.tls is None:
            parts = ["no TLS"]
        else:
            clients = {
                ClientAuth.NONE: "",
                ClientAuth.OPTIONAL: " with optional client certificates",
                ClientAuth.REQUIRED: " with required client certificates",
            }
            parts = [f"TLS{clients[self.tls.client_auth]}"]
        count = len(self.users) or "no"
        parts.append(f"{count} user{'' if count == 1 else 's'}")
        if self.rate_limit is not None:
            parts.append("a rate limit")
        return ", ".join(parts)
