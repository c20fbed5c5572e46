"""Scrapes continue while another client tries thousands of passwords."""

from __future__ import annotations

import asyncio
import statistics

import pytest

from tests.web.flood import attack, log_in
from tests.web.sockets import run, serving
from tests.web.users import ALICE, BOB, Door

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("user", ["alice", "mallory"])
def test_scrapes_continue_during_a_flood_of_wrong_passwords(user: str) -> None:
    async def main() -> None:
        door = Door()
        async with serving(door.app) as server:
            scraper = await server.client()
            await log_in(scraper, ALICE)
            flood = asyncio.create_task(attack(server, user, 1500))
            durations = []
            while not flood.done():
                durations.append(await log_in(scraper, ALICE))
            await flood
        assert door.compare.calls > 9  # the flood was hashed
        assert len(durations) > 10
        assert statistics.quantiles(durations, n=100)[98] < 1
        assert door.failures == door.compare.calls - 1

    run(main())


def test_a_user_who_is_not_remembered_gets_in_during_a_flood() -> None:
    async def main() -> None:
        door, under_way = Door(), asyncio.Event()
        async with serving(door.app) as server:
            client = await server.client()
            flood = asyncio.create_task(attack(server, "bob", 1000, under_way))
            await under_way.wait()
            before = door.compare.calls
            await log_in(client, BOB)
            # The one in progress, at most one of the attacker's, BOB's, and what was compared while
            # the response was on its way.
            assert door.compare.calls - before < 8
            await flood

    run(main())
