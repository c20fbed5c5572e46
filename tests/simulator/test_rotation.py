from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from exporter.simulator import (
    MACHINES,
    Leases,
    Lifecycle,
    Rotation,
    SecretsManager,
    SimulatedOrganization,
    SimulatedOwner,
    SimulatedResource,
    machine_of,
    seeded_organization,
)
from tests.virtual_time import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.simulator import SimulatedKey

HOUR, DAY = 3_600.0, 86_400.0
ANN, BOB = (SimulatedOwner(each, "service-account") for each in ("sa-ann", "sa-bob"))
ONE, TWO = (SimulatedResource(each, "kafka", "env-1") for each in ("lkc-1", "lkc-2"))
SECRETS = SecretsManager(
    owners=(ANN, BOB), resources=(ONE, TWO), period=4 * HOUR, window=0.5 * HOUR, overlap=10 * HOUR
)
LEASES = Leases(owners=(ANN,), resources=(ONE,), interval=120.0, lifetime=(0.5 * HOUR, 2 * HOUR))
both = pytest.mark.parametrize("machine", [SECRETS, LEASES], ids=["secrets", "leases"])


def after(
    seconds: Iterable[float],
    machine: SecretsManager | Leases,
    *,
    speed: float = 1,
    seed: int = 1,
    current: set[str] | None = None,
) -> dict[str, SimulatedKey]:
    """Return the keys of a machine that was advanced to each of ``seconds``."""
    organization = SimulatedOrganization()
    rotation = Rotation(organization, machine, seed=seed, speed=speed, current=current)
    rotation.advance(100.0, wall=EPOCH)
    for elapsed in seconds:
        rotation.advance(100.0 + elapsed, wall=EPOCH + elapsed)
    return dict(organization.keys)


def ages(keys: Iterable[SimulatedKey], *, now: float) -> list[float]:
    return sorted(now - key.created_at for key in keys)


def test_a_secrets_manager_holds_three_or_four_keys_for_each_secret() -> None:
    for elapsed in (0, 1.7 * HOUR, 3.3 * DAY):
        keys = after([elapsed], SECRETS).values()
        each = Counter((key.owner, *key.resources) for key in keys)
        assert each.keys() == {(ANN, ONE), (ANN, TWO), (BOB, ONE), (BOB, TWO)}
        # A key is deleted 10 hours after the next one was created, 13.5 to 14.5 hours after itself.
        assert set(each.values()) <= {3, 4}
        assert ages(keys, now=EPOCH + elapsed)[-1] < 14.5 * HOUR


def test_a_secrets_manager_rotates_all_secrets_within_its_window() -> None:
    times = [key.created_at - EPOCH for key in after([13 * HOUR], SECRETS).values()]

    # It has been running for a day, that is six periods.
    assert Counter(at // (4 * HOUR) for at in times if at >= 0) == {0: 4, 1: 4, 2: 4, 3: 4}
    assert all(at % (4 * HOUR) <= 0.5 * HOUR for at in times)


def test_each_lease_has_a_key_until_it_ends() -> None:
    keys = after([2 * DAY], LEASES).values()

    # 30 leases per hour of 1.25 hours on average: 37.5 keys, give or take three deviations.
    assert 37.5 - 18.4 < len(keys) < 37.5 + 18.4
    assert {(key.owner, *key.resources) for key in keys} == {(ANN, ONE)}
    assert ages(keys, now=EPOCH + 2 * DAY)[-1] <= 2 * HOUR


def test_leases_create_thirty_keys_per_hour() -> None:
    seen = {id_ for hour in range(25) for id_ in after([hour * HOUR], LEASES)}
    minutes: set[str] = set()
    organization = SimulatedOrganization()
    rotation = Rotation(organization, LEASES, seed=1, speed=1)
    for minute in range(24 * 60 + 1):
        rotation.advance(minute * 60.0, wall=EPOCH + minute * 60.0)
        minutes |= organization.keys.keys()

    # 720 in a day and the 37.5 of the beginning, give or take three deviations.
    assert 757 - 82 < len(minutes) < 757 + 82
    assert seen < minutes  # the same keys, but some did not live until the full hour


@both
def test_events_do_not_depend_on_how_often_time_advances(machine: SecretsManager | Leases) -> None:
    assert after([DAY], machine) == after([h * HOUR for h in range(25)], machine)


@both
def test_another_seed_gives_other_events(machine: SecretsManager | Leases) -> None:
    one, other = (after([DAY], machine, seed=seed) for seed in (1, 2))
    assert ages(one.values(), now=EPOCH) != ages(other.values(), now=EPOCH)


@both
def test_new_keys_have_wall_clock_times(machine: SecretsManager | Leases) -> None:
    slow, fast = after([DAY], machine), after([60.0], machine, speed=1440)
    assert slow.keys() == fast.keys()
    assert all(key.created_at <= EPOCH + 60 for key in fast.values())


@both
def test_nothing_changes_at_speed_0(machine: SecretsManager | Leases) -> None:
    assert after([1000 * DAY], machine, speed=0) == {}


@both
def test_the_current_keys_are_known(machine: SecretsManager | Leases) -> None:
    current = {"ADMINKEY"}
    keys = after([DAY], machine, current=current)
    assert current == {"ADMINKEY", *keys}


def test_a_lifecycle_of_other_keys_leaves_those_of_a_machine_alone() -> None:
    organization = SimulatedOrganization()
    current: set[str] = set()
    rotation = Rotation(organization, SECRETS, seed=1, speed=1, current=current)
    lifecycle = Lifecycle(organization, seed=1, speed=1, protected=current)
    for day in range(100):
        rotation.advance(day * DAY, wall=EPOCH + day * DAY)
        lifecycle.advance(day * DAY, wall=EPOCH + day * DAY)
    assert organization.keys.keys() == current


def test_a_key_that_somebody_else_deleted_is_not_deleted_again() -> None:
    organization = SimulatedOrganization()
    rotation = Rotation(organization, SECRETS, seed=1, speed=1)
    rotation.advance(0.0, wall=EPOCH)
    before = set(organization.keys)
    for each in before:
        organization.delete(each)
    rotation.advance(DAY, wall=EPOCH + DAY)
    assert not before & organization.keys.keys()


@pytest.mark.parametrize("speed", [-1.0, float("nan"), float("inf")])
def test_an_invalid_speed_is_rejected(speed: float) -> None:
    with pytest.raises(ValueError, match="speed must be 0"):
        Rotation(SimulatedOrganization(), LEASES, seed=1, speed=speed)


@pytest.mark.parametrize("name", MACHINES)
def test_a_machine_of_an_organization_has_service_accounts_of_its_own(name: str) -> None:
    organization = seeded_organization(seed=1, keys=100, now=EPOCH)
    machine = machine_of(name, organization)
    assert {owner.id for owner in machine.owners} == set(MACHINES[name])
    assert set(MACHINES[name]) <= organization.service_accounts.keys()
    assert {each.kind for each in machine.resources} == {"kafka"}
    assert set(machine.resources) <= set(organization.entities.resources)
