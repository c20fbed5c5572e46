"""Judges who can reach the listening sockets, and what they may see."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

import structlog

from exporter.errors import StartUpError
from exporter.web.sockets import url_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_EXPOSED = (
    "everyone who can reach the exporter can read the metrics and the status page; configure users"
    " or client certificates in --web.config.file, or listen on a loopback address"
)
_EXPOSED_WITH_RELOAD = (
    "everyone who can reach the exporter can read the metrics and the status page, and reload the"
    " configuration; configure users or client certificates in --web.config.file, or listen on a"
    " loopback address"
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


def require_protection(listeners: Sequence[socket.socket]) -> None:
    """Raise :class:`~exporter.errors.StartUpError` if other machines can reach the inventory.

    For a web configuration without users and client certificates.
    """
    if exposed := [url_of(each) for each in listeners if not is_local(each)]:
        raise StartUpError(
            "--web.enable-inventory would show the API keys to everyone who can reach"
            f" {' and '.join(exposed)}. Configure basic_auth_users, or client_auth_type"
            " RequireAndVerifyClientCert, in --web.config.file, or listen only on a loopback"
            " address, such as --web.listen-address=127.0.0.1:10049"
        )


def warn_if_exposed(listeners: Sequence[socket.socket], *, lifecycle: bool) -> None:
    """Log a warning if other machines can reach the exporter, which nobody has to log in to.

    ``lifecycle``: whether they can also reload the configuration.
    """
    if exposed := [url_of(each) for each in listeners if not is_local(each)]:
        log.warning(_EXPOSED_WITH_RELOAD if lifecycle else _EXPOSED, urls=" ".join(exposed))
