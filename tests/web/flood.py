"""A client that floods a server with wrong passwords, and another that scrapes meanwhile."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from tests.web.users import authorization

if TYPE_CHECKING:
    from tests.web.sockets import Client, Serving

ATTACKER = "127.0.0.2"
CONNECTIONS = 100


def request(user: str, password: str) -> bytes:
    lines = ["GET /metrics HTTP/1.1", "Host: exporter"]
    lines.append(f"Authorization: {authorization(user, password)}")
    return "\r\n".join([*lines, "", ""]).encode()


async def attack(
    server: Serving, user: str, requests: int, under_way: asyncio.Event | None = None
) -> None:
    """Send ``requests`` wrong passwords on many connections of one address.

    Sets ``under_way`` when the first was refused because too many were waiting.
    """
    numbers = iter(range(requests))

    async def send(client: Client) -> None:
        for number in numbers:
            await client.send(request(user, f"wrong {number}"))
            status, _, _ = await client.response()
            assert status in {401, 429}
            if under_way is not None and status == 429:
                under_way.set()

    clients = []
    for _ in range(CONNECTIONS):
        connection = server.unconnected()
        connection.bind((ATTACKER, 0))
        clients.append(await server.connect(connection))
    await asyncio.gather(*map(send, clients))


async def log_in(client: Client, user: tuple[str, str]) -> float:
    """Return how long a request of ``user`` took, in seconds."""
    began = time.perf_counter()
    await client.send(request(*user))
    assert (await client.response())[0] == 200
    return time.perf_counter() - began
