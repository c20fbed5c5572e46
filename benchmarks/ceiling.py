"""The ceiling of a scrape: a bare application on uvicorn alone, with prepared bytes.

``python -m benchmarks.ceiling FILE`` answers everything with the contents of FILE, on a free port
whose address it prints. ``--gzip`` says that they are compressed.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from exporter.web.sockets import url_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


def ceiling(body: bytes, *, gzip: bool) -> ASGIApp:
    """Return the application."""
    headers = [
        (b"content-type", b"text/plain; version=0.0.4; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        *([(b"content-encoding", b"gzip")] if gzip else []),
    ]

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


async def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--gzip", action="store_true")
    options = parser.parse_args()
    # As uvicorn makes its own: only sockets that know their protocol get TCP_NODELAY from asyncio.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    app = ceiling(options.file.read_bytes(), gzip=options.gzip)
    listener.listen()
    print(url_of(listener), flush=True)
    config = uvicorn.Config(
        app, http="h11", ws="none", lifespan="off", access_log=False, log_config=None
    )
    await uvicorn.Server(config).serve([listener])


if __name__ == "__main__":
    asyncio.run(main())
