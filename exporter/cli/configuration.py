"""Loads the configuration, at start and while the exporter serves."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from typing import TYPE_CHECKING, TypeVar

import structlog

from exporter import config
from exporter.errors import StartUpError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exporter.config import Config

T = TypeVar("T")
_TIMEOUT = 10.0  # seconds
_MAX_HANGING = 4
_THREAD_NAME = "load configuration"

log = structlog.get_logger(__name__)


def load_config(path: Path) -> Config:
    """Return the configuration at ``path``; log a warning for each exposed secret file.

    Raises :class:`~exporter.errors.ConfigurationError`.
    """
    loaded = config.load(path, environ=os.environ)
    exposed = {each.credentials.exposed_file() for each in loaded.organizations}
    for file in sorted(exposed - {None}, key=str):
        log.warning(
            "every user can read or change this secret file; restrict it, for example with `chmod"
            " o-rw`, or with `defaultMode: 0440` and an `fsGroup` in Kubernetes",
            file=str(file),
        )
    return loaded


async def load_with_timeout(load: Callable[[], T], *, seconds: float = _TIMEOUT) -> T:
    """Return the result of ``load``, called in a daemon thread.

    A lost file system may block a read forever. Raises :class:`~exporter.errors.StartUpError` after
    ``seconds`` or if too many earlier calls still hang, and any exception of ``load``.
    """
    if sum(thread.name == _THREAD_NAME for thread in threading.enumerate()) >= _MAX_HANGING:
        raise StartUpError(
            "earlier attempts to load the configuration are still hanging. Restart the exporter"
        )
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | Exception) -> None:
        if done.done():
            return
        if isinstance(result, Exception):
            done.set_exception(result)
        else:
            done.set_result(result)

    def run() -> None:
        result: T | Exception
        try:
            result = load()
        except Exception as error:  # noqa: BLE001 # raised again in the caller
            result = error
        with contextlib.suppress(RuntimeError):  # the loop is closed, and with it the caller
            loop.call_soon_threadsafe(settle, result)

    threading.Thread(target=run, name=_THREAD_NAME, daemon=True).start()
    try:
        async with asyncio.timeout(seconds):
            return await done
    except TimeoutError:
        raise StartUpError(
            f"loading the configuration took longer than {seconds:g} s. Check the file system that"
            " holds it, its secret files and its CA files"
        ) from None
