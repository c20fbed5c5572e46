"""What the process serves over HTTP: metrics, health and a page for people."""

from exporter.web.routes import create_app
from exporter.web.server import bind, serve

__all__ = ["bind", "create_app", "serve"]
