"""TLS handshakes in memory."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.web.tls import TlsContext


def handshake(
    server: TlsContext, client: ssl.SSLContext, *, session: ssl.SSLSession | None = None
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Return the server's and the client's side of a completed handshake; raise what fails."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.context.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server, server_hostname="localhost", session=session)
    pending = [theirs, ours]
    for _ in range(10):
        for side in tuple(pending):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            pending.remove(side)
    assert pending == []
    return ours, theirs


def refused(server: TlsContext, client: ssl.SSLContext) -> bool:
    try:
        handshake(server, client)
    except ssl.SSLError:
        return True
    return False
