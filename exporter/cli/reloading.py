"""Reloads the configuration files while the exporter serves."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from functools import partial
from typing import TYPE_CHECKING

import structlog

from exporter.cli.configuration import load_with_timeout
from exporter.errors import ConfigurationError, ExporterError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from exporter.app import Exporter
    from exporter.config import Config
    from exporter.confluent.trust import Trust
    from exporter.web.settings import WebConfigFile

log = structlog.get_logger(__name__)
_GATHERING = 0.1
"""Seconds between the first request and the start of a reload. Requests in between share it."""
_BUG = "an error in the exporter itself; see its log"
_STOPPING = "the exporter is stopping"


class Reloader:
    """Runs reloads one after another and lets requests share them.

    A request joins the reload that is about to start. A running reload may have read the files
    already, so a request during it causes one more reload. All requests until its start share it.

    ``reload``: returns the problems that it found; empty after a success.
    """

    def __init__(self, reload: Callable[[], Awaitable[Sequence[str]]]) -> None:
        self._reload = reload
        self._next: asyncio.Future[Sequence[str]] | None = None
        self._requested = asyncio.Event()
        self._is_running = False

    def request(self) -> asyncio.Future[Sequence[str]]:
        """Request a reload; return the future of its problems."""
        requested = self._next
        if requested is None:
            requested = asyncio.get_running_loop().create_future()
            if not self._is_running:
                requested.set_result([_STOPPING])
                return requested
            self._next = requested
            self._requested.set()
        return requested

    async def reload(self) -> Sequence[str]:
        """Request a reload and return its problems. Cancelling this does not stop the reload."""
        return await asyncio.shield(self.request())

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Reload on request, and on each SIGHUP, while the context is open."""
        loop = asyncio.get_running_loop()
        self._is_running = True
        task = loop.create_task(self._run())
        loop.add_signal_handler(signal.SIGHUP, self.request)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGHUP)
            self._is_running = False
            task.cancel()
            await asyncio.wait([task])
            if self._next is not None:
                self._next.set_result([_STOPPING])

    async def _run(self) -> None:
        while True:
            await self._requested.wait()
            await asyncio.sleep(_GATHERING)
            requested, self._next = self._next, None
            self._requested.clear()
            assert requested is not None  # noqa: S101 # set before the event
            problems: Sequence[str] = [_STOPPING]
            try:
                problems = await self._reload()
            except Exception:
                log.exception("error in the exporter; please report it")
                problems = [_BUG]
            finally:
                requested.set_result(problems)


async def reload_config(exporter: Exporter, load: Callable[[], Config]) -> Sequence[str]:
    """Replace the configuration with the result of ``load``, or keep it if that is not valid.

    Returns the problems.
    """
    try:
        config, certificates = await load_with_timeout(partial(_load, exporter, load))
        await exporter.reload(config)
        del certificates  # the hosts keep those in use
    except ExporterError as error:
        exporter.reject(str(error))
        problems = str(error).splitlines()
        for problem in problems:
            log.error("the new configuration was rejected", problem=problem)  # noqa: TRY400 # no traceback for an operator's error
        return problems
    except Exception:
        exporter.reject(_BUG)
        log.exception("error in the exporter; please report it")
        return [_BUG]
    log.info("configuration loaded", organizations=len(config.organizations))
    return []


async def reload_web_config(file: WebConfigFile) -> Sequence[str]:
    """Load the web configuration again, or keep it if that is not valid. Returns the problems."""
    try:
        await file.reload()
    except ConfigurationError as error:
        return str(error).splitlines()
    return []


def _load(exporter: Exporter, load: Callable[[], Config]) -> tuple[Config, Sequence[Trust]]:
    """Return the configuration and its CA certificates; both may be on a file system that hangs."""
    config = load()
    return config, exporter.read_certificates(config)


async def reload_all(steps: Sequence[Callable[[], Awaitable[Sequence[str]]]]) -> Sequence[str]:
    """Run every step of a reload, at the same time; return the problems of all.

    Each file is validated on its own. A problem in one does not prevent the others from being
    applied, so that a typo in the web configuration does not delay the removal of an organization.
    """
    found = await asyncio.gather(*(step() for step in steps))
    return [problem for problems in found for problem in problems]
