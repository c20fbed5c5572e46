"""``/-/healthy`` and ``/-/ready``, for the probes of Kubernetes and others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from exporter.web.limits import Limits
from exporter.web.nosniff import with_nosniff

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from exporter.refresh import OrganizationState

PROBE_PATHS = ("/-/healthy", "/-/ready")
PROBE_LIMITS = Limits(connections=16, header=5.0, idle=30.0, write=5.0)
"""Limits of the addresses that serve only probes. Responses are small and clients are few."""
_NOT_FOUND = f"Not found. This address serves only {' and '.join(PROBE_PATHS)}.\n"


class ProbeSource(Protocol):
    """The source of the health and readiness."""

    def states(self) -> Sequence[OrganizationState]:
        """Return the state of every organization, in the order of the configuration."""

    def dead_loops(self) -> Sequence[str]:
        """Return the organizations whose refresh loop has stopped unexpectedly."""


def probe_routes(source: ProbeSource) -> list[Route]:
    """Return the routes of ``/-/healthy`` and ``/-/ready``."""

    # Only numbers, because probes need no user. The status page has the names.
    async def healthy(_request: Request) -> Response:
        if dead := source.dead_loops():
            text = f"Refresh loops have stopped: {len(dead)}. Restart the exporter.\n"
            return PlainTextResponse(text, status_code=503)
        return PlainTextResponse("Healthy.\n")

    async def ready(_request: Request) -> Response:
        waiting = sum(not state.attempted for state in source.states())
        if waiting:
            text = f"Organizations waiting for their first refresh: {waiting}.\n"
            return PlainTextResponse(text, status_code=503)
        return PlainTextResponse("Ready.\n")

    return [
        Route(path, endpoint) for path, endpoint in zip(PROBE_PATHS, (healthy, ready), strict=True)
    ]


def create_probe_app(source: ProbeSource) -> ASGIApp:
    """Return an application that serves the probes and nothing else."""
    errors: Mapping[int, object] = {404: _not_found}
    app = Starlette(routes=probe_routes(source), exception_handlers=errors)  # type: ignore[arg-type] # invariant
    app.router.redirect_slashes = False
    return with_nosniff(app)


async def _not_found(_request: Request, _error: Exception) -> Response:
    return PlainTextResponse(_NOT_FOUND, status_code=404)
