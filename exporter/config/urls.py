"""Validates the URLs of the API, of a token endpoint and of the exporter."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

_LABEL = "[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?")
_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
_EXAMPLE = "such as `https://api.confluent.cloud`"


def check_url(text: str) -> str:
    """Return ``text`` without trailing slashes if it is safe to send credentials to it.

    Raises :class:`ValueError` with the predicate of a message. It does not quote the URL, which may
    contain a password.
    """
    parts = _split(text, example=_EXAMPLE, remedy="use `credentials` instead")
    _check_encrypted(parts)
    if "/iam/v2" in parts.path:
        raise ValueError("contains the path of an endpoint; expected only the part before `/iam`")
    return parts.geturl().rstrip("/")


def check_token_url(text: str) -> str:
    """Return ``text`` if it can be the token endpoint of an identity provider.

    Raises :class:`ValueError` as :func:`check_url` does.
    """
    example = "such as `https://login.example.com/oauth2/token`"
    remedy = "use `client_id` and `client_secret_file` instead"
    parts = _split(text, example=example, remedy=remedy)
    _check_encrypted(parts)
    if "/sts/v1/" in parts.path:
        raise ValueError(
            "is the token endpoint of Confluent Cloud; expected the one of your identity provider"
        )
    return parts.geturl()


def check_external_url(text: str) -> str:
    """Return ``text`` without trailing slashes if it can be the start of links to the exporter.

    Raises :class:`ValueError` as :func:`check_url` does.
    """
    example = "such as `https://keys.example.com`"
    parts = _split(text, example=example, remedy="everyone could read it in the links")
    return parts.geturl().rstrip("/")


def _check_encrypted(parts: SplitResult) -> None:
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ValueError(
            "is plain http, which would expose the credentials; expected `https://` (http is"
            " allowed for localhost, 127.0.0.0/8 and [::1])"
        )


def _split(text: str, *, example: str, remedy: str) -> SplitResult:
    """Return the parts of an http or https URL without credentials, query and fragment.

    ``remedy``: what a message says about credentials. Raises as :func:`check_url` does.
    """
    if not text.isascii() or not text.isprintable() or re.search(r'[\s\\<>"{}|^`]', text):
        raise ValueError(f"has characters that are not allowed in a URL; expected a URL {example}")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = SplitResult("https", "", "", "", ""), None
    if parts.scheme not in {"https", "http"}:
        raise ValueError(f"does not start with `https://`; expected a URL {example}")
    if "@" in parts.netloc:
        raise ValueError(f"contains a user or password; {remedy}")
    if "?" in text or "#" in text:
        raise ValueError("has a query or fragment; expected a URL without them")
    host = parts.hostname or ""
    if not _is_host(host, bracketed="[" in parts.netloc) or port == 0 or parts.netloc[-1] == ":":
        raise ValueError(f"has no valid host or port; expected a URL {example}")
    return parts


def _is_host(host: str, *, bracketed: bool) -> bool:
    if not bracketed:
        return _HOST.fullmatch(host) is not None
    return "%" not in host and _address(host) is not None


def is_loopback(host: str) -> bool:
    """Return whether ``host`` is ``localhost`` or a loopback address."""
    address = _address(host)
    return host == "localhost" or (
        address is not None and any(address in network for network in _LOOPBACK)
    )


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
