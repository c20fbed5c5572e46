"""Opens the listening sockets that the flags describe."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.cli.systemd_sockets import inherited_sockets
from exporter.web import bind

if TYPE_CHECKING:
    import argparse
    import socket
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True)
class Listeners:
    """The listening sockets of the exporter."""

    main: Sequence[socket.socket]
    """For the metrics and the pages."""
    probes: Sequence[socket.socket]
    """Only for the probes. If empty, ``main`` serves them."""


@contextlib.contextmanager
def listening(options: argparse.Namespace) -> Iterator[Listeners]:
    """Open the sockets that the flags of ``run`` or ``demo`` describe; close them at the end.

    Raises :class:`~exporter.errors.StartUpError`.
    """
    with contextlib.ExitStack() as stack:
        if options.web_systemd_socket:
            main = inherited_sockets(os.environ, pid=os.getpid())
        else:
            main = bind(options.web_listen_addresses or [options.web_default_address])
        for each in main:
            stack.enter_context(each)
        probes = bind(options.web_probe_addresses)
        for each in probes:
            stack.enter_context(each)
        yield Listeners(main, probes)
