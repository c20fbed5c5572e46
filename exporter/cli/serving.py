"""The life of the process: listen, refresh, obey signals, stop cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys
from typing import TYPE_CHECKING

import structlog

from exporter.cli.reloading import load_in_time
from exporter.cli.signals import stop_event
from exporter.errors import ExporterError
from exporter.version import __version__
from exporter.web import bind, serve
from exporter.web.sockets import url_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from exporter.app import Exporter
    from exporter.config import Config

log = structlog.get_logger(__name__)
_TURN = 0.001  # seconds


async def serve_until_stopped(
    exporter: Exporter,
    *,
    addresses: Sequence[str],
    telemetry_path: str,
    load: Callable[[], Config] | None = None,
    listening: Callable[[Sequence[str]], None] = lambda _: None,
) -> None:
    """Serve ``exporter`` until SIGTERM or SIGINT.

    ``load``: how SIGHUP reloads the configuration. ``listening`` is called with the URLs when
    they answer. Raises :class:`~exporter.errors.StartUpError`.
    """
    # While one thread folds a large organization, the event loop gets a turn each millisecond, and
    # not only each five; a scrape needs several.
    sys.setswitchinterval(_TURN)
    # What was imported stays for good; the garbage collector need not look at it each time.
    gc.freeze()
    sockets = bind(addresses)
    urls = [url_of(one) for one in sockets]
    async with (
        stop_event() as stop,
        exporter.running(),
        serve(exporter.web(telemetry_path=telemetry_path), sockets, ended=stop.set),
        _reloading(exporter, load),
    ):
        log.info("listening", version=__version__, urls=" ".join(urls), metrics=telemetry_path)
        listening(urls)
        await stop.wait()
        log.info("stopping")


@contextlib.asynccontextmanager
async def _reloading(exporter: Exporter, load: Callable[[], Config] | None) -> AsyncIterator[None]:
    """Load the configuration anew at each SIGHUP while the context is open."""
    if load is None:
        yield
        return
    loop, asked = asyncio.get_running_loop(), asyncio.Event()

    async def reload_when_asked() -> None:
        while True:
            await asked.wait()
            asked.clear()
            await reload(exporter, load)

    loop.add_signal_handler(signal.SIGHUP, asked.set)
    task = asyncio.create_task(reload_when_asked())
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
        task.cancel()
        await asyncio.wait([task])


async def reload(exporter: Exporter, load: Callable[[], Config]) -> None:
    """Replace the configuration by what ``load`` returns, or keep it if that is not valid."""
    try:
        config = await load_in_time(load)
        await exporter.reload(config)
    except ExporterError as error:
        exporter.reject(str(error))
        for problem in str(error).splitlines():
            log.error("the new configuration was rejected", problem=problem)  # noqa: TRY400 # it says all
    except Exception:
        exporter.reject("an error in the exporter itself; see its log")
        log.exception("error in the exporter; please report it")
    else:
        log.info("configuration loaded", organizations=len(config.organizations))
