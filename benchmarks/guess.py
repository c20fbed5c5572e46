"""A client that tries one wrong password after the other.

``python -m benchmarks.guess URL --user=NAME --connections=4`` prints the URL as soon as a password
was rejected, and continues until it is terminated. Each password is a new one, and each connection
sends the next as soon as it has an answer.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
from typing import TYPE_CHECKING

from benchmarks.load import Link, exchange, request_for

if TYPE_CHECKING:
    from collections.abc import Iterator

_BUFFER = 64 * 1024


async def guess(url: str, *, user: str, connections: int) -> None:
    """Send wrong passwords until cancelled. Raises ``ValueError`` unless all are rejected."""
    passwords = (f"wrong-{number}" for number in itertools.count())
    async with asyncio.TaskGroup() as group:
        for number in range(connections):
            group.create_task(_guess(url, user, passwords, tells=number == 0))


async def _guess(url: str, user: str, passwords: Iterator[str], *, tells: bool) -> None:
    link, buffer = None, memoryview(bytearray(_BUFFER))
    try:
        for password in passwords:
            link = link or await Link.connected(url)
            request = request_for(url, user=f"{user}:{password}")
            _, closes = await exchange(link, request, buffer, status=401)
            if tells:
                print(url, flush=True)
                tells = False
            if closes:
                link.close()
                link = None
    finally:
        if link:
            link.close()


def main() -> None:
    """Guess until terminated."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--user", required=True)
    parser.add_argument("--connections", type=int, required=True)
    asyncio.run(guess(**vars(parser.parse_args())))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):  # the parent process reports it
        main()
