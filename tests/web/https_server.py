"""Serves HTTPS until it is terminated: ``python -m tests.web.https_server CHAIN KEY``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from exporter.config.web_values import TlsConfig
from exporter.web import bind, serve
from exporter.web.sockets import url_of
from exporter.web.tls import TlsContext, tls_context
from tests.web.sockets import hello


async def main(context: TlsContext) -> None:
    async def tls() -> TlsContext:
        return context

    sockets = bind(["127.0.0.1:0"])
    async with serve(hello, sockets, tls=tls):
        print(f"serving {url_of(sockets[0])}", flush=True)  # noqa: T201 # a test reads it
        await asyncio.Event().wait()


if __name__ == "__main__":
    chain, key = (Path(each).read_bytes() for each in sys.argv[1:])
    asyncio.run(main(tls_context(TlsConfig(chain, key))))
