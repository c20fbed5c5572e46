"""Counts failed TLS handshakes, and logs at most one per minute."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

_INTERVAL = 60.0  # seconds

log = structlog.get_logger(__name__)


class HandshakeFailures:
    """Calls ``on_failure`` for every failure."""

    def __init__(self, on_failure: Callable[[], None]) -> None:
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        self._next_log = self._loop.time()
        self._not_logged = 0

    def add(self, cause: str, address: Any) -> None:  # noqa: ANN401 # as the socket module's
        """Record a failure. ``address``: of the client, as from the socket module."""
        self._on_failure()
        now = self._loop.time()
        if now < self._next_log:
            self._not_logged += 1
            return
        self._next_log = now + _INTERVAL
        omitted = {"not_logged": self._not_logged} if self._not_logged else {}
        self._not_logged = 0
        log.warning("TLS handshake failed", client=_text(address), cause=cause, **omitted)


def _text(address: Any) -> str:  # noqa: ANN401 # as above
    if not isinstance(address, tuple):  # of a Unix socket, whose clients have no name
        return "a program on this machine"
    host, port, *_ = address
    host = host.removeprefix("::ffff:")  # IPv4 on a socket for both
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
