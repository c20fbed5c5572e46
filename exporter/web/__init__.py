"""The HTTP server: metrics, health endpoints and the status page."""

from exporter.web.limits import Limits
from exporter.web.routes import create_app
from exporter.web.server import serve
from exporter.web.sockets import bind

__all__ = ["Limits", "bind", "create_app", "serve"]
