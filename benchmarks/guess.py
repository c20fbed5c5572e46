"""A client that tries one wrong password after the other.

``python -m benchmarks.guess URL --user=NAME --connections=100`` prints the URL as soon as a
password was rejected, and continues until it is terminated. Each password is a new one, and each
connection sends the next as soon as it has an answer: 401, or 429 if too many are waiting. Every
hundredth answer is followed by a line with the number of answers.
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
_UNAUTHORIZED, _TOO_MANY_REQUESTS = 401, 429
_TOLD = 100
"""Answers after which their number is printed."""


async def guess(url: str, *, user: str, connections: int) -> None:
    """Send wrong passwords until cancelled. Raises ``ValueError`` unless all are rejected."""
    passwords = (f"wrong-{number}" for number in itertools.count())
    answers = itertools.count(1)
    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(_guess(url, user, passwords, answers))


async def _guess(url: str, user: str, passwords: Iterator[str], answers: Iterator[int]) -> None:
    link, buffer = None, memoryview(bytearray(_BUFFER))
    try:
        for password in passwords:
            link = link or await Link.connected(url)
            request = request_for(url, user=f"{user}:{password}")
            allowed = (_UNAUTHORIZED, _TOO_MANY_REQUESTS)
            _, closes = await exchange(link, request, buffer, allowed=allowed)
            number = next(answers)
            if number == 1:
                print(url, flush=True)
            elif number % _TOLD == 0:
                print(number, flush=True)
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
