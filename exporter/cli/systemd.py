"""Notifies systemd of the state of the service (``sd_notify(3)``)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections import deque
from typing import TYPE_CHECKING

import structlog

from exporter import logs
from exporter.escaping import one_line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping, Sequence

    from exporter.refresh import OrganizationState

_STATUS_INTERVAL = 10.0
"""Seconds between two checks of the status."""
_MAX_STATUS = 300  # characters
_MAX_LISTED = 3
"""Failing organizations named in the status."""
_MAX_UNSENT = 16
_MIN_WATCHDOG = 0.1
"""Minimum seconds between two watchdog notifications."""

log = structlog.get_logger(__name__)


class Systemd:
    """Sends notifications to systemd; does nothing if systemd did not ask for them.

    Never blocks and never raises, so that the exporter does not depend on systemd.

    ``address``: the path of the socket, or an abstract name that starts with ``@``; None for no
    notifications. ``watchdog``: seconds within which systemd expects a notification, or None.
    """

    def __init__(self, address: str | None, *, watchdog: float | None = None) -> None:
        self._address = None if address is None else _socket_address(address)
        self._watchdog = watchdog
        self._unsent: deque[bytes] = deque(maxlen=_MAX_UNSENT)
        self._has_failed = False
        self._status: str | None = None

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str], *, pid: int) -> Systemd:
        """Return the notifier that ``environ`` configures for the process ``pid``.

        Removes the variables, so that child processes do not send notifications.
        """
        address = environ.pop("NOTIFY_SOCKET", "")
        recipient, interval = environ.pop("WATCHDOG_PID", ""), environ.pop("WATCHDOG_USEC", "")
        for_us = recipient in {"", str(pid)}
        microseconds = int(interval) if for_us and interval.isdecimal() else 0
        return cls(address or None, watchdog=microseconds / 1e6 or None)

    @contextlib.asynccontextmanager
    async def notified(
        self, *, status: Callable[[], str], is_healthy: Callable[[], bool]
    ) -> AsyncIterator[None]:
        """Report that the service is ready, and that it is stopping at the end of the context.

        Meanwhile, report each change of ``status``, and notify the watchdog while ``is_healthy``.
        """
        if self._address is None:
            yield
            return
        self._send("READY=1")
        tasks = [asyncio.create_task(self._report(status))]
        if self._watchdog is not None:
            tasks.append(asyncio.create_task(self._live(self._watchdog / 2, is_healthy)))
        try:
            yield
        finally:
            self._send("STOPPING=1")
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    @contextlib.contextmanager
    def reloading(self) -> Iterator[None]:
        """Report the start and the end of a reload, as ``Type=notify-reload`` requires."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            yield
        finally:
            self._send("READY=1")

    async def _report(self, status: Callable[[], str]) -> None:
        while True:
            with logs.bugs_logged():
                if (current := one_line(status(), _MAX_STATUS)) != self._status:
                    self._status = current
                    self._send(f"STATUS={current}")
            self._flush()
            await asyncio.sleep(_STATUS_INTERVAL)

    async def _live(self, interval: float, is_healthy: Callable[[], bool]) -> None:
        was_healthy = True
        while True:
            if is_healthy():
                self._send("WATCHDOG=1", again=False)
            elif was_healthy:
                log.error("unhealthy; no longer notifying the watchdog of systemd")
            was_healthy = is_healthy()
            await asyncio.sleep(max(interval, _MIN_WATCHDOG))

    def _send(self, text: str, *, again: bool = True) -> None:
        """Send ``text``. If systemd reads nothing, send it later, but only if ``again``."""
        if self._address is None:
            return
        if again or not self._unsent:
            self._unsent.append(text.encode())
        self._flush()
        if not again and self._unsent and self._unsent[-1] == text.encode():
            self._unsent.pop()

    def _flush(self) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                while self._unsent:
                    sender.sendto(self._unsent[0], self._address)
                    self._unsent.popleft()
        except BlockingIOError:
            return
        except OSError as error:
            self._unsent.clear()
            if not self._has_failed:
                self._has_failed = True
                log.warning("cannot notify systemd", error=error.strerror or str(error))


def status_line(states: Sequence[OrganizationState]) -> str:
    """Return a status such as ``3 organizations, 1 failing: globex: forbidden``."""
    waiting = sum(not state.attempted for state in states)
    failing = [
        f"{state.name}: {state.prioritized.failure.reason}"
        for state in states
        if state.prioritized.failure is not None
    ]
    parts = [f"{len(states)} organization" + ("" if len(states) == 1 else "s")]
    if waiting:
        parts.append(f"{waiting} waiting for the first refresh")
    if failing:
        more = len(failing) - _MAX_LISTED
        listed = [*failing[:_MAX_LISTED], *([f"{more} more"] if more > 0 else [])]
        parts.append(f"{len(failing)} failing: {', '.join(listed)}")
    return ", ".join(parts)


def _socket_address(text: str) -> bytes | None:
    """Return the address of a Unix socket; None for the other kinds, such as ``vsock:``."""
    name = os.fsencode(text)
    if name.startswith(b"@"):
        return b"\0" + name[1:]
    return name if name.startswith(b"/") else None
