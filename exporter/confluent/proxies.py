"""The proxy for an address, from the environment."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx

from exporter import redaction
from exporter.errors import StartUpError

if TYPE_CHECKING:
    from collections.abc import Mapping

_HTTP, _HTTPS = 80, 443
_MAX_PORT = 65535
_HOST_AND_PORT = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<other>[^:]*))(?::(?P<port>\d{1,5}))?")


@dataclass(frozen=True)
class Proxy:
    """A proxy and its environment variable."""

    url: httpx.URL = field(repr=False)
    """It may hold a password."""
    variable: str

    @property
    def address(self) -> str:
        """Host and port, without user and password."""
        port = self.url.port or {"http": _HTTP, "https": _HTTPS}[self.url.scheme]
        host = f"[{self.url.host}]" if ":" in self.url.host else self.url.host
        return f"{host}:{port}"


def proxy_for(url: httpx.URL, environ: Mapping[str, str]) -> Proxy | None:
    """Return the proxy for ``url``; None if there is none or ``NO_PROXY`` exempts the host.

    Uses the first of ``https_proxy``, ``HTTPS_PROXY``, ``all_proxy`` and ``ALL_PROXY`` that is not
    empty. A lower-case variable hides its upper-case one even if it is empty. Raises
    :class:`~exporter.errors.StartUpError`, which names the variable and never shows its value.
    """
    # Plain http is for this machine only; a proxy would send the credentials elsewhere.
    if url.scheme == "http":
        return None
    for name in ("https_proxy", "all_proxy"):
        variable, value = _variable(name, environ)
        if value:
            _, exempt = _variable("no_proxy", environ)
            if is_exempt(url.raw_host.decode(), url.port or _HTTPS, exempt):
                return None
            return Proxy(_proxy_url(variable, value), variable)
    return None


def _variable(name: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the variable in use, lower case first, and its value."""
    variable = name if name in environ else name.upper()
    return variable, environ.get(variable, "").strip()


def _proxy_url(variable: str, value: str) -> httpx.URL:
    problem = "it is not a valid URL"
    try:
        url = httpx.URL(value if "://" in value else f"http://{value}")
    except (httpx.InvalidURL, ValueError):  # their messages quote the URL with its password
        pass
    else:
        if url.scheme not in {"http", "https"}:
            problem = "its scheme is not http or https"
        elif not url.host:
            problem = "it has no host"
        elif url.port is not None and not 0 < url.port <= _MAX_PORT:
            problem = f"its port is not between 1 and {_MAX_PORT}"
        elif url.path != "/" or url.query or url.fragment:
            # Or a password with `/`, `?` or `#`, a part of which would be taken for the host.
            problem = "it has a path, a query or a fragment"
        else:
            if url.password:
                redaction.register(url.password, user=url.username)
            return url
    raise StartUpError(
        f"the environment variable {variable} is not a usable proxy: {problem}. Expected"
        " http://HOST:PORT or https://HOST:PORT, with special characters of a user or password in"
        " percent-encoding"
    )


def is_exempt(host: str, port: int, no_proxy: str) -> bool:
    """Whether ``no_proxy``, the value of the variable, has an entry for ``host``.

    Entries are separated by commas or white space: ``*`` for every host; a domain, with or without
    a leading dot, for itself and its subdomains; ``*.`` and a domain for its subdomains only; an IP
    address; or a network such as ``10.0.0.0/8``. Domains and addresses may have a port; an IPv6
    address then needs brackets. Other entries exempt nothing. ``host`` is in ASCII, an IPv6 address
    without brackets.
    """
    host = host.lower().rstrip(".")
    address = _address(host)
    entries = re.split(r"[,\s]+", no_proxy.lower())
    return any(_covers(entry, host, address, port) for entry in entries if entry)


def _covers(
    entry: str,
    host: str,
    address: ipaddress.IPv4Address | ipaddress.IPv6Address | None,
    port: int,
) -> bool:
    if entry == "*":
        return True
    if (network := _network(entry)) is None:
        match = _HOST_AND_PORT.fullmatch(entry)
        if match is None or (match["port"] and int(match["port"]) != port):
            return False
        entry = match["six"] or match["other"] or ""
        network = _network(entry)
    if network is not None:
        return address is not None and address in network
    subdomains_only = entry.startswith("*.")
    domain = _ascii(entry.removeprefix("*").strip("."))
    if address is not None or not domain:
        return False
    return host.endswith(f".{domain}") or (host == domain and not subdomains_only)


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _ascii(domain: str) -> str:
    """Return ``domain`` in ASCII, as DNS spells it; empty if it is not a valid domain."""
    try:
        return httpx.URL(scheme="https", host=domain).raw_host.decode()
    except (httpx.InvalidURL, ValueError):
        return ""
