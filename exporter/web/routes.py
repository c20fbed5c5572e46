"""The ASGI application with all routes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from exporter.exposition import accepts_gzip, choose_format
from exporter.web.keys_routes import PATHS, Keys, KeysEndpoint, KeysSource
from exporter.web.nosniff import NOSNIFF, with_nosniff
from exporter.web.probes import PROBE_PATHS, ProbeSource, probe_routes
from exporter.web.status_page import render_status_page
from exporter.web.templates import PAGE_HEADERS, content_security_policy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from exporter.clock import Clock
    from exporter.exposition import Exposition
    from exporter.refresh import OrganizationState
    from exporter.summary import Summary

_NOT_FOUND = "Not found. See / for the available pages.\n"
_PROBES_ELSEWHERE = "Not found. The probes are served on --web.probe-listen-address.\n"
_PAGE_HEADERS = {
    **PAGE_HEADERS,
    "Content-Security-Policy": content_security_policy(form_action="'none'"),
}


class Source(KeysSource, ProbeSource, Protocol):
    """The source of what the pages show."""

    @property
    def rejected_config(self) -> str | None:
        """The problems of the latest configuration if it was rejected, else None."""

    @property
    def shard(self) -> str:
        """The shard and its number of organizations in words; empty without sharding."""

    def overview(self) -> Callable[[], Sequence[tuple[OrganizationState, Sequence[Summary]]]]:
        """Return a function that returns the current states with their summaries.

        It takes long for many organizations, so it is called in a thread.
        """


@dataclass(frozen=True, kw_only=True)
class Pages:
    """The pages of the application."""

    telemetry_path: str = "/metrics"
    """With ``/``, there is no status page."""
    inventory: bool = False
    """Whether to serve the keys."""
    loopback_only: bool = True
    """Whether to serve the keys only to requests for a loopback name; False only if all requests
    are authenticated."""
    probes: bool = True
    """Whether to serve ``/-/healthy`` and ``/-/ready``."""
    rejected_web_config: Callable[[], str] = lambda: ""
    """Returns the problems of the latest web configuration if it was rejected, else nothing."""
    more: Sequence[Route] = ()


def create_app(source: Source, exposition: Exposition, pages: Pages, *, clock: Clock) -> ASGIApp:
    """Return the application that serves ``pages``."""
    telemetry_path, inventory = pages.telemetry_path, pages.inventory
    rendering = asyncio.Lock()

    async def status(_request: Request) -> Response:
        rejected = {
            "configuration": source.rejected_config,
            "web configuration": pages.rejected_web_config(),
        }
        overview, wall = source.overview(), clock.wall()

        def render() -> bytes:
            return render_status_page(
                overview(),
                shard=source.shard,
                rejected={name: each for name, each in rejected.items() if each},
                wall=wall,
                telemetry_path=telemetry_path,
                inventory=inventory,
            ).encode()

        async with rendering:  # one page at a time
            page = await asyncio.to_thread(render)
        return HTMLResponse(page, headers=_PAGE_HEADERS)

    metrics = _Metrics(exposition)
    routes = [
        Route(telemetry_path, metrics, methods=["GET"]),
        *(probe_routes(source) if pages.probes else []),
        *pages.more,
    ]
    if telemetry_path != "/":
        routes.append(Route("/", status))
    if inventory:
        keys = Keys(
            source,
            clock=clock,
            loopback_only=pages.loopback_only,
            telemetry_path=telemetry_path,
        )
        routes += [
            Route(path, KeysEndpoint(keys, form), methods=["GET"]) for path, form in PATHS.items()
        ]
    errors: Mapping[int, object] = {404: _not_found}
    app = Starlette(routes=routes, exception_handlers=errors)  # type: ignore[arg-type] # invariant
    app.router.redirect_slashes = False  # /metrics/ is not a page
    return _scrapes_first(metrics, telemetry_path, with_nosniff(app))


def _scrapes_first(metrics: ASGIApp, telemetry_path: str, others: ASGIApp) -> ASGIApp:
    """Return an application that passes scrapes to ``metrics`` and other requests to ``others``.

    Starlette's layers would add a tenth to the cost of a scrape, and more with each slice.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scrape = scope["path"] == telemetry_path and scope["method"] in ("GET", "HEAD")
        await (metrics if scrape else others)(scope, receive, send)

    return app


class _Metrics:
    """Serves the exposition in slices, as fast as the client reads them."""

    def __init__(self, exposition: Exposition) -> None:
        self._exposition = exposition

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        del receive
        asked = Headers(scope=scope)
        form = choose_format(asked.get("accept", ""))
        gzip = accepts_gzip(asked.get("accept-encoding", ""))
        body = self._exposition.body(form, gzip=gzip)
        headers = [
            (b"content-type", form.value.encode()),
            (b"content-length", str(body.size).encode()),
            (b"vary", b"Accept, Accept-Encoding"),
            NOSNIFF,
            *([(b"content-encoding", b"gzip")] if gzip else []),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        remaining = body.size
        for each in body:
            remaining -= len(each)
            await send({"type": "http.response.body", "body": each, "more_body": remaining > 0})


async def _not_found(request: Request, _error: Exception) -> Response:
    text = _PROBES_ELSEWHERE if request.url.path in PROBE_PATHS else _NOT_FOUND
    return PlainTextResponse(text, status_code=404)
