"""The routes, as an ASGI application made from what it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from starlette.applications import Starlette
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from exporter.exposition import accepts_gzip, choose_format
from exporter.web.status_page import render_status_page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

    from exporter.clock import Clock
    from exporter.exposition import Exposition
    from exporter.refresh import OrganizationState

_NOT_FOUND = "Not found. Try / for the pages that exist.\n"
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Source(Protocol):
    """What the pages tell of."""

    def states(self) -> Sequence[OrganizationState]:
        """Return the state of every organization, in the order of the configuration."""

    @property
    def rejected_config(self) -> str | None:
        """What is wrong with the latest configuration, if it was refused."""

    def dead_loops(self) -> Sequence[str]:
        """Return the organizations whose refresh loop has ended although it never should."""


def create_app(
    source: Source, exposition: Exposition, *, clock: Clock, telemetry_path: str = "/metrics"
) -> Starlette:
    """Return the application. ``telemetry_path`` may be ``/``; then there is no status page."""

    async def metrics(request: Request) -> Response:
        form = choose_format(request.headers.get("accept", ""))
        gzip = accepts_gzip(request.headers.get("accept-encoding", ""))
        headers = {"Content-Type": form.value, "Vary": "Accept, Accept-Encoding"}
        if gzip:
            headers["Content-Encoding"] = "gzip"
        return Response(exposition.scrape(form, gzip=gzip), headers=headers)

    async def status(_request: Request) -> Response:
        page = render_status_page(
            source.states(),
            rejected_config=source.rejected_config,
            wall=clock.wall(),
            monotonic=clock.monotonic(),
            telemetry_path=telemetry_path,
        )
        return HTMLResponse(page, headers=_PAGE_HEADERS)

    async def healthy(_request: Request) -> Response:
        if dead := source.dead_loops():
            text = f"The refresh of {', '.join(dead)} has ended; restart the exporter.\n"
            return PlainTextResponse(text, status_code=503)
        return PlainTextResponse("Healthy.\n")

    async def ready(_request: Request) -> Response:
        waiting = [state.name for state in source.states() if not state.attempted]
        if waiting:
            text = f"Waiting for the first refresh of {', '.join(waiting)}.\n"
            return PlainTextResponse(text, status_code=503)
        return PlainTextResponse("Ready.\n")

    routes = [
        Route(telemetry_path, metrics),
        Route("/-/healthy", healthy),
        Route("/-/ready", ready),
    ]
    if telemetry_path != "/":
        routes.append(Route("/", status))
    errors: Mapping[int, object] = {404: _not_found}
    app = Starlette(routes=routes, exception_handlers=errors)  # type: ignore[arg-type] # invariant
    app.router.redirect_slashes = False  # /metrics/ is no page either
    return app


async def _not_found(_request: Request, _error: Exception) -> Response:
    return PlainTextResponse(_NOT_FOUND, status_code=404)
