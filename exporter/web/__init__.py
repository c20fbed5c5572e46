"""The HTTP server: metrics, health endpoints and the status page."""

from exporter.web.limits import Limits
from exporter.web.probes import PROBE_LIMITS, PROBE_PATHS, create_probe_app
from exporter.web.reload_route import reload_route
from exporter.web.routes import Pages, create_app
from exporter.web.server import serve
from exporter.web.sockets import bind

__all__ = [
    "PROBE_LIMITS",
    "PROBE_PATHS",
    "Limits",
    "Pages",
    "bind",
    "create_app",
    "create_probe_app",
    "reload_route",
    "serve",
]
