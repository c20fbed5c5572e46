"""A token file that is replaced before the token expires, as the kubelet does."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import structlog

from exporter.config.files import replace_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from exporter.clock import Clock

LIFETIME = 600
"""The lifetime of a token in seconds: the shortest that Kubernetes allows."""
RENEWAL = 0.8 * LIFETIME
"""Seconds after which the file is replaced. The kubelet also renews after 80 % of the lifetime."""
_RETRY = 10.0  # seconds

log = structlog.get_logger(__name__)


@contextlib.asynccontextmanager
async def renewed_token_file(
    path: Path, token: Callable[[int], str], *, clock: Clock
) -> AsyncIterator[None]:
    """Write the file at ``path`` for its owner only, and replace it every 8 minutes.

    ``token``: returns a new token for a lifetime in seconds. Raises ``OSError`` if the file cannot
    be written at first. Later errors are logged, and the next attempt follows after 10 seconds.
    """
    replace_file(path, token(LIFETIME).encode())
    task = asyncio.create_task(_renew(path, token, clock))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _renew(path: Path, token: Callable[[int], str], clock: Clock) -> None:
    pause = RENEWAL
    while True:
        await clock.sleep(pause)
        try:
            replace_file(path, token(LIFETIME).encode())
            pause = RENEWAL
        except OSError as error:
            log.error("cannot replace the token file", file=str(path), error=error.strerror)  # noqa: TRY400 # the cause is the disk
            pause = _RETRY
