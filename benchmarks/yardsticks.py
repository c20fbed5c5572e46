"""The yardsticks of a scrape: servers that answer as the exporter does.

``python -m benchmarks.yardsticks library FILE`` serves the exposition in FILE with
``prometheus_client.start_http_server``. The families exist before the first scrape, so the time is
spent on what every exporter with this library does: writing and compressing them.

``python -m benchmarks.yardsticks uvicorn FILE`` answers with the gzipped bytes in FILE, from a bare
application on uvicorn. No Python exporter on this server can be faster.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from exporter.web.sockets import url_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client.core import Metric
    from starlette.types import Receive, Scope, Send


class Families(Collector):
    """Collects the families of a given exposition."""

    def __init__(self, exposition: str) -> None:
        self._families = list(text_string_to_metric_families(exposition))

    def collect(self) -> Iterable[Metric]:
        """Return the families in their order."""
        return self._families


def _serve_with_the_library(file: str) -> None:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Families(Path(file).read_text()))
    server, _ = start_http_server(0, "127.0.0.1", registry)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    threading.Event().wait()


def _serve_with_uvicorn(file: str) -> None:
    body = Path(file).read_bytes()
    headers = [
        (b"content-type", b"text/plain; version=0.0.4; charset=utf-8"),
        (b"content-encoding", b"gzip"),
        (b"content-length", str(len(body)).encode()),
    ]

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    # With an explicit protocol, as uvicorn's own sockets: asyncio sets TCP_NODELAY only then.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    print(url_of(listener), flush=True)
    config = uvicorn.Config(
        app, http="h11", ws="none", lifespan="off", access_log=False, log_config=None
    )
    asyncio.run(uvicorn.Server(config).serve([listener]))


if __name__ == "__main__":
    {"library": _serve_with_the_library, "uvicorn": _serve_with_uvicorn}[sys.argv[1]](sys.argv[2])
