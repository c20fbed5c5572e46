from __future__ import annotations

import asyncio
import time

import pytest

from tests.virtual_time import FakeClock


async def test_hours_pass_immediately_and_in_order() -> None:
    clock, order, began = FakeClock(), [], time.monotonic()

    async def after(seconds: float) -> None:
        await clock.sleep(seconds)
        order.append((clock.monotonic(), seconds))

    await asyncio.gather(after(7200), after(1), after(60))
    assert order == [(1, 1), (60, 60), (7200, 7200)]
    assert time.monotonic() - began < 1


async def test_a_timeout_fires_at_its_virtual_time() -> None:
    clock = FakeClock()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await clock.sleep(6)
    assert clock.monotonic() == 5


async def test_a_wall_clock_jump_does_not_affect_monotonic_time() -> None:
    clock = FakeClock(wall=1000)
    clock.jump(-400)
    await clock.sleep(1)
    assert (clock.wall(), clock.monotonic()) == (601, 1)
