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
    """Return the keys after a lifecycle that was advanced to each of ``seconds``."""
    organization = seeded_organization(seed=1, keys=1000, now=EPOCH)
    lifecycle = Lifecycle(organization, seed=seed, speed=speed)
    lifecycle.advance(100.0, wall=EPOCH)
    for elapsed in seconds:
        lifecycle.advance(100.0 + elapsed, wall=EPOCH + elapsed)
    return dict(organization.keys)


def test_four_percent_of_the_keys_have_an_event_per_day() -> None:
    before = after([], speed=1)
    later = after([10 * DAY], speed=1)

    # 10 days x 1000 keys: 100 created, 200 rotated, 100 deleted, give or take three deviations.
    # 100 keys were deleted. A rotation keeps the old key for 1.5 days on average, so 170 more were
    # deleted after a rotation. One deleted key in eight was itself new, which leaves 236.
    assert 300 - 54 < len(later.keys() - before.keys()) < 300 + 54
    assert 236 - 46 < len(before.keys() - later.keys()) < 236 + 46


def test_events_do_not_depend_on_how_often_time_advances() -> None:
    assert after([DAY], speed=1).keys() == after([h * 3600.0 for h in range(25)], speed=1).keys()


def test_another_seed_gives_other_events() -> None:
    assert after([DAY], speed=1, seed=1).keys() != after([DAY], speed=1, seed=2).keys()


def test_a_day_at_speed_1_equals_a_minute_at_speed_1440() -> None:
    slow, fast = after([DAY], speed=1), after([60.0], speed=1440)

    assert slow.keys() == fast.keys()


def test_nothing_changes_at_speed_0() -> None:
    assert after([1000 * DAY], speed=0) == after([], speed=0)


def test_new_keys_have_wall_clock_times() -> None:
    before, later = after([], speed=1440), after([60.0], speed=1440)

    times = [later[key_id].created_at for key_id in later.keys() - before.keys()]

    assert times
    assert all(EPOCH < time <= EPOCH + 60 for time in times)


def test_a_rotation_deletes_the_old_key_hours_or_days_later() -> None:
    key = some_keys(1)[0]
    organization = SimulatedOrganization([key])
    lifecycle = Lifecycle(organization, seed=0, speed=1)
    lifecycle._next = 10.0  # force a rotation as the first event
    lifecycle._random.choices = lambda *_, **__: ["rotate"]  # type: ignore[method-assign]
    lifecycle.advance(0.0, wall=EPOCH)

    lifecycle.advance(11.0, wall=EPOCH + 11)
    (new_id,) = organization.keys.keys() - {"K001"}
    assert organization.keys[new_id].owner == key.owner
    assert organization.keys[new_id].resources == key.resources
    assert organization.keys[new_id].created_at == EPOCH + 10
    lifecycle._next = 1e9
    lifecycle.advance(10.0 + 3600.0, wall=EPOCH)
    assert "K001" in organization.keys
    lifecycle.advance(10.0 + 3 * DAY, wall=EPOCH)
    assert list(organization.keys) == [new_id]


@pytest.mark.parametrize("event", ["create", "rotate"])
def test_deleted_owners_get_no_new_keys(event: str) -> None:
    key = some_keys(1)[0]
    assert key.owner is not None
    entities = Entities(deleted_service_accounts=(key.owner,))
    organization = SimulatedOrganization([key], entities=entities)
    lifecycle = Lifecycle(organization, seed=0, speed=1)
    lifecycle._random.choices = lambda *_, **__: [event]  # type: ignore[method-assign]
    lifecycle.advance(0.0, wall=EPOCH)

    lifecycle.advance(1000 * DAY, wall=EPOCH)

    assert list(organization.keys) == ["K001"]


def test_protected_keys_are_not_changed() -> None:
    organization = SimulatedOrganization(some_keys(3))
    lifecycle = Lifecycle(organization, seed=0, speed=1, protected={"K001", "K002", "K003"})
    lifecycle.advance(0.0, wall=EPOCH)

    lifecycle.advance(1000 * DAY, wall=EPOCH)

    assert list(organization.keys) == ["K001", "K002", "K003"]


def test_an_organization_without_keys_has_no_events() -> None:
    organization = SimulatedOrganization()
    lifecycle = Lifecycle(organization, seed=1, speed=1)
    lifecycle.advance(0.0, wall=EPOCH)

    lifecycle.advance(30 * DAY, wall=EPOCH)

    assert len(organization.keys) == 0


@pytest.mark.parametrize("speed", [-1.0, float("nan"), float("inf")])
def test_an_invalid_speed_is_rejected(speed: float) -> None:
    with pytest.raises(ValueError, match="speed must be 0"):
        Lifecycle(SimulatedOrganization(), seed=1, speed=speed)


async def test_every_request_advances_the_lifecycle() -> None:
    organization = seeded_organization(seed=1, keys=50, now=EPOCH)
    simulator = simulator_of(organization, lifecycles=[Lifecycle(organization, seed=1, speed=1)])
    before = dict(organization.keys)
    await ask(simulator)
    assert organization.keys == before

    await simulator._clock.sleep(10 * DAY)
    await ask(simulator)

    assert organization.keys != before
