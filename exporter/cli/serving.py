"""Serves the exporter: listen, refresh, reload on SIGHUP, shut down on SIGTERM or SIGINT."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import structlog

from exporter.cli.exposure import require_protection, warn_if_exposed
from exporter.cli.reloading import Reloader, reload_all, reload_config
from exporter.cli.signals import stop_event
from exporter.cli.systemd import Systemd, status_line
from exporter.cli.systemd_sockets import inherited_sockets
from exporter.version import __version__
from exporter.web import PROBE_LIMITS, bind, create_probe_app, reload_route, serve
from exporter.web.sockets import url_of

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from exporter.app import Exporter
    from exporter.config import Config

log = structlog.get_logger(__name__)
_SWITCH_INTERVAL = 0.001  # seconds


@dataclass(frozen=True)
class WebOptions:
    """What the flags say about the web server."""

    addresses: Sequence[str]
    telemetry_path: str = "/metrics"
    probe_addresses: Sequence[str] = ()
    """Addresses that alone serve the probes; without any, ``addresses`` serve them."""
    systemd_socket: bool = False
    """Whether to listen on the sockets that systemd passes instead of ``addresses``."""
    lifecycle: bool = False
    """Whether ``/-/reload`` reloads."""
    inventory: bool = False
    """Whether to serve the list of API keys."""


async def serve_until_stopped(
    exporter: Exporter,
    options: WebOptions,
    *,
    load: Callable[[], Config] | None = None,
    on_listening: Callable[[Sequence[str]], None] = lambda _: None,
) -> None:
    """Serve ``exporter`` until SIGTERM or SIGINT.

    ``load``: returns the configuration, for reloads; None for none. ``on_listening``: called with
    the URLs as soon as they answer. Raises :class:`~exporter.errors.StartUpError`.
    """
    # A thread that computes a large inventory yields to the event loop each millisecond instead of
    # every five. A scrape needs several such switches.
    sys.setswitchinterval(_SWITCH_INTERVAL)
    # Imported modules are never freed, so the garbage collector can skip them.
    gc.freeze()
    systemd = Systemd.from_environment(os.environ, pid=os.getpid())
    with _listening(options) as (sockets, probe_sockets):
        if options.inventory:
            require_protection(sockets)
        warn_if_exposed(sockets, lifecycle=options.lifecycle)
        urls = [url_of(each) for each in sockets]
        reloader = _reloader(exporter, load, systemd)
        app = exporter.web(
            telemetry_path=options.telemetry_path,
            probes=not probe_sockets,
            more=[reload_route(reloader.reload if reloader and options.lifecycle else None)],
        )
        async with (
            stop_event() as stop,
            exporter.running(),
            _serving_probes(exporter, probe_sockets, ended=stop.set),
            serve(app, sockets, ended=stop.set),
            reloader.running() if reloader else contextlib.nullcontext(),
        ):
            probes = " ".join(url_of(each) for each in probe_sockets)
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


@contextlib.contextmanager
def _listening(
    options: WebOptions,
) -> Iterator[tuple[Sequence[socket.socket], Sequence[socket.socket]]]:
    """Return the listening sockets, and those of the probes. Closes them at the end."""
    with contextlib.ExitStack() as stack:
        if options.systemd_socket:
            sockets = inherited_sockets(os.environ, pid=os.getpid())
        else:
            sockets = bind(options.addresses)
        for each in sockets:
            stack.enter_context(each)
        probe_sockets = bind(options.probe_addresses)
        for each in probe_sockets:
            stack.enter_context(each)
        yield sockets, probe_sockets


@contextlib.asynccontextmanager
async def _serving_probes(
    exporter: Exporter, sockets: Sequence[socket.socket], *, ended: Callable[[], None]
) -> AsyncIterator[None]:
    if not sockets:
        yield
        return
    async with serve(create_probe_app(exporter), sockets, ended=ended, limits=PROBE_LIMITS):
        yield


def _reloader(
    exporter: Exporter, load: Callable[[], Config] | None, systemd: Systemd
) -> Reloader | None:
    if load is None:
        return None
    steps = [partial(reload_config, exporter, load)]

    async def reload() -> Sequence[str]:
        with systemd.reloading():
            return await reload_all(steps)

    return Reloader(reload)
