"""Listening sockets for ``--web.listen-address``."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
from typing import TYPE_CHECKING, Any

from exporter.errors import StartUpError

if TYPE_CHECKING:
    from collections.abc import Sequence

_ADDRESS = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<four>[^:\[\]]*)):(?P<port>\d{1,5})")
_MAX_PORT = 65535
_CAUSES = {
    errno.EADDRINUSE: "the port is in use; stop what listens there, or choose another",
    errno.EACCES: "permission denied; choose a port above 1023, or grant the privilege to bind it",
    errno.EADDRNOTAVAIL: "this machine has no such address",
}
_MISSING = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
"""``localhost`` often resolves to ::1 even where IPv6 is disabled."""
_ATTEMPTS = 10
"""Attempts to find a port that is free on every address of a name."""


def parse_address(text: str) -> tuple[str, int]:
    """Return host and port of ``:10049``, ``127.0.0.1:10049`` or ``[::1]:10049``.

    An empty host means every address of the machine. Raises ``ValueError``.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match["port"]) > _MAX_PORT:
        raise ValueError(f"{text!r} is not an address like :10049, 127.0.0.1:10049 or [::1]:10049")
    return match["six"] or match["four"] or "", int(match["port"])


def bind(addresses: Sequence[str]) -> list[socket.socket]:
    """Return listening sockets for ``addresses``: one for each IP address of each name.

    All sockets of a name have the same port, even if the system chooses it (port 0). Raises
    :class:`~exporter.errors.StartUpError` and leaves no socket open.
    """
    with contextlib.ExitStack() as stack:
        sockets: list[socket.socket] = []
        for address in addresses:
            for each in _bind_one(address):
                # Headers and body of a response are separate writes. Without TCP_NODELAY, the body
                # waits 40 ms for the client's delayed acknowledgement on persistent connections.
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sockets.append(stack.enter_context(contextlib.closing(each)))
        stack.pop_all()
    return sockets


def _bind_one(address: str) -> list[socket.socket]:
    host, port = parse_address(address)
    try:
        if host in {"", "::"} and socket.has_dualstack_ipv6():
            return [socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)]
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        socket_addresses = list(dict.fromkeys((family, where) for family, *_, where in found))
        for _ in range(_ATTEMPTS if port == 0 else 1):
            with contextlib.suppress(_PortTakenElsewhereError):
                return _bind_all(socket_addresses, port)
    except UnicodeError:
        raise StartUpError(f"cannot listen on {address}: not a valid host name") from None
    except OSError as error:
        cause = _CAUSES.get(error.errno or 0) or error.strerror or str(error)
        raise StartUpError(f"cannot listen on {address}: {cause}") from None
    raise StartUpError(f"cannot listen on {address}: found no port that is free on every address")


class _PortTakenElsewhereError(Exception):
    """The port that the system chose for one address is in use on another."""


def _bind_all(
    socket_addresses: Sequence[tuple[socket.AddressFamily, tuple[Any, ...]]], port: int
) -> list[socket.socket]:
    """Return a socket for each of the addresses that this machine has, all on one port."""
    missing: OSError | None = None
    with contextlib.ExitStack() as stack:
        sockets: list[socket.socket] = []
        for family, (host, _, *scope) in socket_addresses:
            chosen = sockets[0].getsockname()[1] if sockets else port
            try:
                listener = socket.create_server((host, chosen, *scope), family=family)
            except OSError as error:
                if error.errno in _MISSING:
                    missing = error
                    continue
                if port == 0 and chosen and error.errno == errno.EADDRINUSE:
                    raise _PortTakenElsewhereError from error
                raise
            sockets.append(stack.enter_context(contextlib.closing(listener)))
        if missing is not None and not sockets:
            raise missing
        stack.pop_all()
    return sockets


def url_of(listener: socket.socket, *, tls: bool = False) -> str:
    """Return the URL of ``listener`` for a user on this machine.

    For a Unix socket ``unix:`` and its path, as in the configuration of proxies.
    """
    address = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        return f"unix:{os.fsdecode(address)}"
    host, port = address[:2]
    if host in {"::", "0.0.0.0"}:  # noqa: S104 # compared, not bound
        host = "localhost"
    scheme = "https" if tls else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
