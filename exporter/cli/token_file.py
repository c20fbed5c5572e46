"""A token file that is replaced before the token expires, as the kubelet does."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING

import structlog

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
    _replace(path, token(LIFETIME))
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
            _replace(path, token(LIFETIME))
            pause = RENEWAL
        except OSError as error:
            log.error("cannot replace the token file", file=str(path), error=error.strerror)  # noqa: TRY400 # the cause is the disk
            pause = _RETRY


def _replace(path: Path, text: str) -> None:
    """Replace the file at ``path`` atomically. Its mode is 0600."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    new.replace(path)
