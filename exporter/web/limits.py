"""Limits on the number and duration of client connections."""

from __future__ import annotations

import resource
from dataclasses import dataclass

_MAX_CONNECTIONS = 512


@dataclass(frozen=True)
class Limits:
    """Limits of one server. Durations are in seconds and may be exceeded by one second."""

    connections: int = _MAX_CONNECTIONS
    header: float = 10.0
    """For the TLS handshake, for the header section of a request, and for the rest of its body."""
    idle: float = 120.0
    """Between two requests. Longer than the usual scrape intervals, because a scrape fails if the
    server closes the connection just as the scraper reuses it."""
    write: float = 30.0
    """For the client to read enough of a response that more can be written."""
    shutdown: float = 1.0
    """For responses in progress when the server stops."""


def process_limits() -> Limits:
    """Return the limits for this process.

    Clients get at most half of its file descriptors, so that enough remain for files and for
    connections to the API.
    """
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return Limits()
    return Limits(connections=max(1, min(_MAX_CONNECTIONS, descriptors // 2)))
