"""Counts failed TLS handshakes, and logs at most one per minute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from exporter.web.log_limit import LogLimit

if TYPE_CHECKING:
    from collections.abc import Callable

log = structlog.get_logger(__name__)


class HandshakeFailures:
    """Calls ``on_failure`` for every failure."""

    def __init__(self, on_failure: Callable[[], None]) -> None:
        self._on_failure = on_failure
        self._limit = LogLimit()

    def add(self, cause: str, address: Any) -> None:  # noqa: ANN401 # as the socket module's
        """Record a failure. ``address``: of the client, as from the socket module."""
        self._on_failure()
        omitted = self._limit.request()
        if omitted is not None:
            log.warning("TLS handshake failed", client=_text(address), cause=cause, **omitted)


def _text(address: Any) -> str:  # noqa: ANN401 # as above
    if not isinstance(address, tuple):  # of a Unix socket, whose clients have no name
        return "a program on this machine"
    host, port, *_ = address
    host = host.removeprefix("::ffff:")  # IPv4 on a socket for both
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
