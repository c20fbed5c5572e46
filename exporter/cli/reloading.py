"""Loads a configuration while the exporter serves, which must not wait for it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING

from exporter.errors import StartUpError

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.config import Config

_TIMEOUT = 10.0  # seconds
_MOST_HANGING = 4
_NAME = "load configuration"


async def load_in_time(load: Callable[[], Config], *, within: float = _TIMEOUT) -> Config:
    """Return what ``load`` returns, called in a thread that keeps nothing waiting if it hangs.

    A file system that is gone may block a read for ever. Raises
    :class:`~exporter.errors.StartUpError` after ``within`` seconds, and what ``load`` raises.
    """
    if sum(thread.name == _NAME for thread in threading.enumerate()) >= _MOST_HANGING:
        raise StartUpError(
            "earlier attempts to load the configuration are still hanging. Restart the exporter"
        )
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Config] = loop.create_future()

    def settle(found: Config | Exception) -> None:
        if done.done():
            return
        if isinstance(found, Exception):
            done.set_exception(found)
        else:
            done.set_result(found)

    def run() -> None:
        found: Config | Exception
        try:
            found = load()
        except Exception as error:  # noqa: BLE001 # whatever it raises belongs to who waits
            found = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, found)

    threading.Thread(target=run, name=_NAME, daemon=True).start()
    try:
        async with asyncio.timeout(within):
            return await done
    except TimeoutError:
        raise StartUpError(
            f"loading the configuration took longer than {within:g} s. Check the file system that"
            " holds it and its secret files"
        ) from None
