"""Serves the exporter: listen, refresh, reload on SIGHUP, shut down on SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING

import structlog

from exporter.cli.configuration import load_with_timeout
from exporter.cli.signals import stop_event
from exporter.errors import ExporterError
from exporter.version import __version__
from exporter.web import bind, serve
from exporter.web.sockets import url_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from exporter.app import Exporter
    from exporter.config import Config
    from exporter.confluent.trust import Trust

log = structlog.get_logger(__name__)
_SWITCH_INTERVAL = 0.001  # seconds


async def serve_until_stopped(
    exporter: Exporter,
    *,
    addresses: Sequence[str],
    telemetry_path: str,
    load: Callable[[], Config] | None = None,
    on_listening: Callable[[Sequence[str]], None] = lambda _: None,
) -> None:
    """Serve ``exporter`` until SIGTERM or SIGINT.

    ``load``: returns the configuration, for a reload on SIGHUP. ``on_listening``: called with the
    URLs as soon as they answer. Raises :class:`~exporter.errors.StartUpError`.
    """
    # A thread that computes a large inventory yields to the event loop each millisecond instead of
    # every five. A scrape needs several such switches.
    sys.setswitchinterval(_SWITCH_INTERVAL)
    # Imported modules are never freed, so the garbage collector can skip them.
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
        on_listening(urls)
        await stop.wait()
        log.info("stopping")


@contextlib.asynccontextmanager
async def _reloading(exporter: Exporter, load: Callable[[], Config] | None) -> AsyncIterator[None]:
    """Reload the configuration on each SIGHUP while the context is open."""
    if load is None:
        yield
        return
    loop, requested = asyncio.get_running_loop(), asyncio.Event()

    async def reload_on_request() -> None:
        while True:
            await requested.wait()
            requested.clear()
            await reload(exporter, load)

    loop.add_signal_handler(signal.SIGHUP, requested.set)
    task = asyncio.create_task(reload_on_request())
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
        task.cancel()
        await asyncio.wait([task])


def _load(exporter: Exporter, load: Callable[[], Config]) -> tuple[Config, Sequence[Trust]]:
    """Return the configuration and its CA certificates; both may be on a file system that hangs."""
    config = load()
    return config, exporter.read_certificates(config)


async def reload(exporter: Exporter, load: Callable[[], Config]) -> None:
    """Replace the configuration with the result of ``load``, or keep it if that is not valid."""
    try:
        config, certificates = await load_with_timeout(partial(_load, exporter, load))
        await exporter.reload(config)
        del certificates  # the hosts keep those in use
    except ExporterError as error:
        exporter.reject(str(error))
        for problem in str(error).splitlines():
            log.error("the new configuration was rejected", problem=problem)  # noqa: TRY400 # no traceback for an operator's error
    except Exception:
        exporter.reject("an error in the exporter itself; see its log")
        log.exception("error in the exporter; please report it")
    else:
        log.info("configuration loaded", organizations=len(config.organizations))
