"""Listening sockets that systemd passes to the process (``sd_listen_fds(3)``)."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

from exporter.errors import StartUpError

if TYPE_CHECKING:
    from collections.abc import MutableMapping

_FIRST = 3
"""SD_LISTEN_FDS_START."""
_MAX = 1024
_VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID")
_FAMILIES = {socket.AF_INET, socket.AF_INET6, socket.AF_UNIX}
_REMEDY = (
    "Start the exporter through a .socket unit with `ListenStream=10049`, or remove the flag"
    " --web.systemd-socket"
)
_SETTINGS = "Use `ListenStream=` and `Accept=no` in the .socket unit"


def inherited_sockets(
    environ: MutableMapping[str, str], *, pid: int, first: int = _FIRST
) -> list[socket.socket]:
    """Return the sockets that systemd passed to the process ``pid``.

    Removes the variables from ``environ``, so that child processes do not use the
    sockets. ``first``: the first file descriptor. Raises :class:`~exporter.errors.StartUpError`.
    """
    recipient, count, *_ = [environ.pop(name, "") for name in _VARIABLES]
    if not count:
        raise StartUpError(f"systemd passed no socket: LISTEN_FDS is not set. {_REMEDY}")
    if recipient != str(pid):
        raise StartUpError(
            f"systemd passed no socket to this process: LISTEN_PID is {recipient!r}, but its id is"
            f" {pid}. A wrapper must replace itself with the exporter (`exec`)"
        )
    if not count.isdecimal() or not 0 < int(count) <= _MAX:
        raise StartUpError(f"systemd passed no socket: LISTEN_FDS is {count!r}. {_REMEDY}")
    with contextlib.ExitStack() as stack:
        sockets = [
            stack.enter_context(contextlib.closing(_listener(descriptor)))
            for descriptor in range(first, first + int(count))
        ]
        stack.pop_all()
    return sockets


def _listener(descriptor: int) -> socket.socket:
    problem = f"file descriptor {descriptor} from systemd is not a listening stream socket"
    try:
        listener = socket.socket(fileno=descriptor)
    except OSError:
        raise StartUpError(f"{problem}. {_SETTINGS}") from None
    is_listening = (
        listener.type == socket.SOCK_STREAM
        and listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
    )
    if not is_listening:
        listener.detach()  # it may be a file descriptor of this process
        raise StartUpError(f"{problem}. {_SETTINGS}")
    if listener.family not in _FAMILIES:
        listener.detach()
        raise StartUpError(
            f"file descriptor {descriptor} from systemd is neither a TCP nor a Unix socket, which"
            " the exporter does not support. Use `ListenStream=` with a port, an address and port,"
            " or a path in the .socket unit"
        )
    listener.set_inheritable(False)
    if listener.family != socket.AF_UNIX:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
