"""The address of the API."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

_LABEL = "[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?")
_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
_EXAMPLE = "such as `https://api.confluent.cloud`"


def check_url(text: str) -> str:
    """Return ``text`` without a trailing slash if credentials may be sent there.

    Raises :class:`ValueError` with a sentence that does not contain it: an address may hold a
    password.
    """
    if not text.isascii() or not text.isprintable() or re.search(r'[\s\\<>"{}|^`]', text):
        raise ValueError(f"has characters that no address has; expected one {_EXAMPLE}")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = SplitResult("https", "", "", "", ""), None
    if parts.scheme not in {"https", "http"}:
        raise ValueError(f"does not begin with `https://`; expected an address {_EXAMPLE}")
    if "@" in parts.netloc:
        raise ValueError("has a user or password in it; those belong to `credentials`")
    if "?" in text or "#" in text:
        raise ValueError("has a query or a fragment; expected an address that ends with its path")
    host = parts.hostname or ""
    if not _is_host(host, bracketed="[" in parts.netloc) or port == 0 or parts.netloc[-1] == ":":
        raise ValueError(f"has no usable host or port; expected an address {_EXAMPLE}")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError(
            "is plain http, which would show the credentials to the network; expected `https://`"
            " (http is for localhost, 127.0.0.0/8 and [::1])"
        )
    if "/iam/v2" in parts.path:
        raise ValueError("has the path of an endpoint in it; expected only what stands before /iam")
    return parts.geturl().rstrip("/")


def _is_host(host: str, *, bracketed: bool) -> bool:
    if not bracketed:
        return _HOST.fullmatch(host) is not None
    return "%" not in host and _address(host) is not None


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or (
        address is not None and any(address in network for network in _LOOPBACK)
    )


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
