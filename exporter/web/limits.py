"""How much of the process clients may take, and for how long."""

from __future__ import annotations

import resource
from dataclasses import dataclass

_MAX_CONNECTIONS = 512


@dataclass(frozen=True)
class Limits:
    """Limits of one server. Durations are in seconds; each may be exceeded by one second."""

    connections: int = _MAX_CONNECTIONS
    header: float = 10.0
    """For the TLS handshake and the header section of a request, and for the rest of its body."""
    idle: float = 120.0
    """Between two requests. Longer than the usual scrape intervals: a scraper that reuses its
    connection at the moment when the server closes it sees a failed scrape."""
    write: float = 30.0
    """For the client to take enough of an answer that more can be written."""
    shutdown: float = 1.0
    """For answers that are being written when the server stops."""


def process_limits() -> Limits:
    """Return the limits for this process.

    At most half of its file descriptors are for clients, so that enough remain for the connections
    to the API and for files.
    """
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return Limits()
    return Limits(connections=max(1, min(_MAX_CONNECTIONS, descriptors // 2)))
