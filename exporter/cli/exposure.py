"""Checks who can reach the listening sockets, and what they could see."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

import structlog

from exporter.errors import StartUpError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.config.web_config import WebConfig

_EXPOSED = (
    "everyone who can reach the exporter can read the metrics and the status page; configure users"
    " or client certificates in --web.config.file, or listen on a loopback address"
)
_EXPOSED_WITH_RELOAD = (
    "everyone who can reach the exporter can read the metrics and the status page, and reload the"
    " configuration; configure users or client certificates in --web.config.file, or listen on a"
    " loopback address"
)
_PLAIN_PASSWORDS = (
    "passwords of users are sent without encryption, because --web.config.file has no"
    " tls_server_config"
)
log = structlog.get_logger(__name__)


def is_local(listener: socket.socket) -> bool:
    """Return whether only programs on this machine can connect to ``listener``.

    The address is that of the socket: a name such as localhost may resolve to any.
    """
    if listener.family == socket.AF_UNIX:
        return True
    host, *_ = listener.getsockname()
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback


def is_protected(listeners: Sequence[socket.socket], config: WebConfig) -> bool:
    """Return whether only authenticated clients or local programs can use the exporter."""
    return config.authenticates or all(is_local(each) for each in listeners)


def check_exposure(
    listeners: Sequence[socket.socket], config: WebConfig, *, inventory: bool, lifecycle: bool
) -> None:
    """Log a warning if everyone can see the exporter, or can intercept passwords.

    Raises :class:`~exporter.errors.StartUpError` if everyone could read the ``inventory``.
    """
    if not config.authenticates:
        if inventory:
            require_protection(listeners)
        warn_if_exposed(listeners, lifecycle=lifecycle)
    elif config.tls is None and (exposed := _exposed(listeners)):
        log.warning(_PLAIN_PASSWORDS, addresses=", ".join(exposed))


def require_protection(listeners: Sequence[socket.socket]) -> None:
    """Raise :class:`~exporter.errors.StartUpError` if other machines can reach the inventory.

    For a web configuration without users and required client certificates.
    """
    if exposed := _exposed(listeners):
        raise StartUpError(
            "--web.enable-inventory would show the API keys to everyone who can reach"
            f" {' and '.join(exposed)}. Configure basic_auth_users, or client_auth_type"
            " RequireAndVerifyClientCert, in --web.config.file, or listen only on a loopback"
            " address, such as 127.0.0.1:10049"
        )


def warn_if_exposed(listeners: Sequence[socket.socket], *, lifecycle: bool) -> None:
    """Log a warning if other machines can reach the exporter, which nobody has to log in to.

    ``lifecycle``: whether they can also reload the configuration.
    """
    if exposed := _exposed(listeners):
        message = _EXPOSED_WITH_RELOAD if lifecycle else _EXPOSED
        log.warning(message, addresses=", ".join(exposed))


def _exposed(listeners: Sequence[socket.socket]) -> list[str]:
    """Return the addresses that other machines can reach."""
    addresses = []
    for listener in listeners:
        if is_local(listener):
            continue
        host, port, *_ = listener.getsockname()
        shown = f"[{host}]" if ":" in host else host
        wildcard = host in {"::", "0.0.0.0"}  # noqa: S104 # compared, not bound
        addresses.append(f"port {port} of every address" if wildcard else f"{shown}:{port}")
    return addresses
