from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.simulator import (
    Entities,
    Lifecycle,
    SimulatedKey,
    SimulatedOrganization,
    seeded_organization,
)
from tests.simulator.helpers import ask, simulator_of, some_keys
from tests.virtual_time import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterable

DAY = 86_400.0


def after(seconds: Iterable[float], *, speed: float, seed: int = 1) -> dict[str, SimulatedKey]:
    """The keys after a life that was looked at after each of ``seconds``."""
    organization = seeded_organization(seed=1, keys=1000, now=EPOCH)
    life = Lifecycle(organization, seed=seed, speed=speed)
    life.advance(100.0, wall=EPOCH)
    for elapsed in seconds:
        life.advance(100.0 + elapsed, wall=EPOCH + elapsed)
    return dict(organization.keys)


def test_about_four_percent_of_the_keys_have_an_event_in_a_day() -> None:
    before = after([], speed=1)
    later = after([10 * DAY], speed=1)

    # 10 days x 1000 keys: 100 created, 200 rotated, 100 deleted, give or take three deviations.
    # Gone are the 100 and, as a rotation leaves the old key for 1.5 days on average, 170 more, less
    # the one in eight that was a new key itself: 236.
    assert 300 - 54 < len(later.keys() - before.keys()) < 300 + 54
    assert 236 - 46 < len(before.keys() - later.keys()) < 236 + 46


def test_life_does_not_depend_on_how_often_it_is_looked_at() -> None:
    assert after([DAY], speed=1).keys() == after([h * 3600.0 for h in range(25)], speed=1).keys()


def test_another_seed_is_another_life() -> None:
    assert after([DAY], speed=1, seed=1).keys() != after([DAY], speed=1, seed=2).keys()


def test_a_day_at_speed_one_is_a_minute_at_speed_1440() -> None:
    slow, fast = after([DAY], speed=1), after([60.0], speed=1440)

    assert slow.keys() == fast.keys()


def test_nothing_happens_at_speed_zero() -> None:
    assert after([1000 * DAY], speed=0) == after([], speed=0)


def test_new_keys_carry_the_wall_clock_and_not_the_simulated_time() -> None:
    before, later = after([], speed=1440), after([60.0], speed=1440)

    times = [later[key_id].created_at for key_id in later.keys() - before.keys()]

    assert times
    assert all(EPOCH < time <= EPOCH + 60 for time in times)


def test_a_rotation_leaves_the_old_key_for_hours_and_days() -> None:
    key = some_keys(1)[0]
    organization = SimulatedOrganization([key])
    life = Lifecycle(organization, seed=0, speed=1)
    life._next = 10.0  # the first event is made to be a rotation
    life._random.choices = lambda *_, **__: ["rotate"]  # type: ignore[method-assign]
    life.advance(0.0, wall=EPOCH)

    life.advance(11.0, wall=EPOCH + 11)
    (new_id,) = organization.keys.keys() - {"K001"}
    assert organization.keys[new_id].owner == key.owner
    assert organization.keys[new_id].resources == key.resources
    assert organization.keys[new_id].created_at == EPOCH + 10
    life._next = 1e9
    life.advance(10.0 + 3600.0, wall=EPOCH)
    assert "K001" in organization.keys
    life.advance(10.0 + 3 * DAY, wall=EPOCH)
    assert list(organization.keys) == [new_id]


@pytest.mark.parametrize("event", ["create", "rotate"])
def test_whoever_is_gone_gets_no_new_keys(event: str) -> None:
    key = some_keys(1)[0]
    assert key.owner is not None
    estate = Entities(deleted_service_accounts=(key.owner,))
    organization = SimulatedOrganization([key], entities=estate)
    life = Lifecycle(organization, seed=0, speed=1)
    life._random.choices = lambda *_, **__: [event]  # type: ignore[method-assign]
    life.advance(0.0, wall=EPOCH)

    life.advance(1000 * DAY, wall=EPOCH)

    assert list(organization.keys) == ["K001"]


def test_an_organization_without_keys_lives_without_events() -> None:
    organization = SimulatedOrganization()
    life = Lifecycle(organization, seed=1, speed=1)
    life.advance(0.0, wall=EPOCH)

    life.advance(30 * DAY, wall=EPOCH)

    assert len(organization.keys) == 0


@pytest.mark.parametrize("speed", [-1.0, float("nan"), float("inf")])
def test_time_neither_runs_backwards_nor_infinitely_fast(speed: float) -> None:
    with pytest.raises(ValueError, match="speed must be 0"):
        Lifecycle(SimulatedOrganization(), seed=1, speed=speed)


async def test_the_simulator_lets_life_go_on_at_each_request() -> None:
    organization = seeded_organization(seed=1, keys=50, now=EPOCH)
    simulator = simulator_of(organization, processes=[Lifecycle(organization, seed=1, speed=1)])
    before = dict(organization.keys)
    await ask(simulator)
    assert organization.keys == before

    await simulator._clock.sleep(10 * DAY)
    await ask(simulator)

    assert organization.keys != before
