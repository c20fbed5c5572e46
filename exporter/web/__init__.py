"""What the process serves over HTTP: metrics, health and a page for people."""

from exporter.web.limits import Limits
from exporter.web.routes import create_app
from exporter.web.server import serve
from exporter.web.sockets import bind

__all__ = ["Limits", "bind", "create_app", "serve"]
