"""Logs each kind of event loop error at most once a minute."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

_INTERVAL = 60.0  # seconds
_MAX_KINDS = 100
"""Maximum number of remembered kinds. Messages may contain addresses, so kinds are unbounded."""

log = logging.getLogger("asyncio")


class _RateLimitedHandler:
    """Logs the first error of a kind, and after a minute the next one with the number omitted."""

    def __init__(self) -> None:
        self._logged: dict[object, tuple[float, int]] = {}
        """By kind: the loop time of the latest log record, and the number of errors since."""

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        kind, now = _kind(context), loop.time()
        at, dropped = self._logged.get(kind, (-_INTERVAL, 0))
        if now < at + _INTERVAL:
            self._logged[kind] = at, dropped + 1
            return
        if len(self._logged) >= _MAX_KINDS and kind not in self._logged:
            self._logged.clear()
        self._logged[kind] = now, 0
        if dropped:
            log.error("%d more errors like the following were not logged", dropped)
        loop.default_exception_handler(context)


def _kind(context: dict[str, Any]) -> object:
    """Return a value that errors with the same cause share."""
    error = context.get("exception")
    traceback = getattr(error, "__traceback__", None)
    if traceback is None:
        return type(error), str(context.get("message"))
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return type(error), traceback.tb_frame.f_code, traceback.tb_lineno


@contextlib.contextmanager
def logged_sparingly(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Rate-limit the error log of ``loop`` in this context, unless it has another handler."""
    if loop.get_exception_handler() is not None:
        yield
        return
    loop.set_exception_handler(_RateLimitedHandler())
    try:
        yield
    finally:
        loop.set_exception_handler(None)
