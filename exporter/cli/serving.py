"""Serves the exporter: refresh, answer, reload on SIGHUP, shut down on SIGTERM or SIGINT."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import structlog

from exporter.cli.reloading import Reloader, reload_all, reload_config, reload_web_config
from exporter.cli.signals import stop_event
from exporter.cli.systemd import Systemd, status_line
from exporter.version import __version__
from exporter.web import PROBE_LIMITS, Pages, create_probe_app, reload_route, serve
from exporter.web.access import restricted
from exporter.web.limits import process_limits
from exporter.web.passwords import Passwords
from exporter.web.sockets import url_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from starlette.types import ASGIApp

    from exporter.app import Exporter
    from exporter.cli.listening import Listeners
    from exporter.config import Config
    from exporter.web.settings import WebConfigFile
    from exporter.web.tls import TlsContext

log = structlog.get_logger(__name__)
_SWITCH_INTERVAL = 0.001  # seconds
_FULL_COLLECTION_AFTER = 200
"""Collections of the second generation; the default is 10. A full collection visits every object,
which takes 0.1 s or more with 1,000 organizations, and nothing is served meanwhile. Reference
cycles of long-lived objects, such as closed connections, stay in memory until then: about 3 KiB for
each connection."""


@dataclass(frozen=True)
class WebOptions:
    """The options of the web server."""

    telemetry_path: str = "/metrics"
    lifecycle: bool = False
    """Whether ``/-/reload`` reloads."""
    inventory: bool = False
    """Whether to serve the list of API keys."""
    config_file: WebConfigFile | None = None
    """The web configuration; None for plain HTTP without users."""

    @property
    def always_authenticates(self) -> bool:
        """Whether every client needs a user or a certificate, also with later configurations."""
        return self.config_file is not None and self.config_file.requires_authentication

    @property
    def tls(self) -> bool:
        """Whether connections are encrypted; this does not change while the exporter runs."""
        return self.config_file is not None and self.config_file.settings.tls is not None


async def serve_until_stopped(
    exporter: Exporter,
    options: WebOptions,
    listeners: Listeners,
    *,
    load: Callable[[], Config] | None = None,
    on_listening: Callable[[Sequence[str]], None] = lambda _: None,
) -> None:
    """Serve ``exporter`` on ``listeners`` until SIGTERM or SIGINT.

    ``load``: returns the configuration, for reloads; None for none. ``on_listening``: called with
    the URLs as soon as they answer.
    """
    # A thread that computes a large inventory yields to the event loop each millisecond instead of
    # every five. A scrape needs several such switches.
    sys.setswitchinterval(_SWITCH_INTERVAL)
    # Imported modules are never freed, so the garbage collector can skip them.
    gc.freeze()
    gc.set_threshold(*gc.get_threshold()[:2], _FULL_COLLECTION_AFTER)
    systemd = Systemd.from_environment(os.environ, pid=os.getpid())
    reloader = _reloader(exporter, options, load, systemd)
    pages = Pages(
        telemetry_path=options.telemetry_path,
        probes=not listeners.probes,
        more=[reload_route(reloader.reload if reloader and options.lifecycle else None)],
        inventory=options.inventory,
        loopback_only=not options.always_authenticates,
        rejected_web_config=lambda: options.config_file.rejected if options.config_file else "",
    )
    async with (
        stop_event() as stop,
        exporter.running(),
        _serving_probes(exporter, listeners, ended=stop.set),
        serve(
            _restricted(exporter.web(pages), exporter, options),
            listeners.main,
            tls=_tls(options),
            on_handshake_failure=exporter.instruments.web.tls_handshake_failed,
            ended=stop.set,
        ),
        reloader.running() if reloader else contextlib.nullcontext(),
    ):
        urls = [url_of(each, tls=options.tls) for each in listeners.main]
        probes = " ".join(url_of(each) for each in listeners.probes)
        log.info(
            "listening",
            version=__version__,
            urls=" ".join(urls),
            metrics=options.telemetry_path,
            **({"probes": probes} if probes else {}),
        )
        on_listening(urls)
        async with systemd.notified(
            status=lambda: status_line(exporter.states()),
            is_healthy=lambda: not exporter.dead_loops(),
        ):
            await stop.wait()
            log.info("stopping")


def _restricted(app: ASGIApp, exporter: Exporter, options: WebOptions) -> ASGIApp:
    """Return ``app`` with the users, headers and rate limit of the web configuration."""
    file = options.config_file
    if file is None:
        return app

    on_failure = exporter.instruments.web.authentication_failed
    users = Passwords(max_requests=process_limits().connections // 2)
    return restricted(app, file.current_config, users=users, on_failure=on_failure)


def _tls(options: WebOptions) -> Callable[[], Awaitable[TlsContext]] | None:
    """Return what the server calls for the TLS settings of each connection; None for plain HTTP."""
    file = options.config_file
    return file.current_tls if file is not None and options.tls else None


@contextlib.asynccontextmanager
async def _serving_probes(
    exporter: Exporter, listeners: Listeners, *, ended: Callable[[], None]
) -> AsyncIterator[None]:
    if not listeners.probes:
        yield
        return
    app = create_probe_app(exporter)
    async with serve(app, listeners.probes, ended=ended, limits=PROBE_LIMITS):
        yield


def _reloader(
    exporter: Exporter, options: WebOptions, load: Callable[[], Config] | None, systemd: Systemd
) -> Reloader | None:
    if load is None:
        return None
    steps = [partial(reload_config, exporter, load)]
    if options.config_file is not None:
        steps.append(partial(reload_web_config, options.config_file))

    async def reload() -> Sequence[str]:
        with systemd.reloading():
            return await reload_all(steps)

    return Reloader(reload)
