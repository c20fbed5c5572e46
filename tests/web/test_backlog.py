from __future__ import annotations

import asyncio
import socket
import struct

import pytest

from exporter.web import bind, serve
from tests.web.sockets import hello, run

pytestmark = pytest.mark.integration


def test_few_connections_wait_to_be_accepted() -> None:
    async def main() -> int:
        (listener,) = bind(["127.0.0.1:0"])
        async with serve(hello, [listener]):
            await asyncio.sleep(0)  # the server begins to listen
            await asyncio.sleep(0)
            info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32)
            return int(struct.unpack_from("I", info, 28)[0])  # of a listener: the backlog

    assert run(main()) == 128
