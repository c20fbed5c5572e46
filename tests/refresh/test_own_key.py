"""The exporter's own API key: its age and expiry, wherever the listing contains it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from exporter.simulator import Account, parse_fault
from tests.harness import API_KEY, SECRET, Harness
from tests.pools import PoolHarness
from tests.small_organization import LKC_1, SA_1, key
from tests.virtual_time import EPOCH

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.simulator import SimulatedKey, Simulator

DAY = 86_400.0
CREATED = "confluent_cloud_exporter_credential_created_timestamp_seconds"
EXPIRY = "confluent_cloud_exporter_credential_expiry_timestamp_seconds"
NEXT_KEY = "NEXTKEY000000001"
OTHER = key("OTHER", SA_1, LKC_1, days=400, expires=1)


def own(key_id: str = API_KEY, *, days: float = 30, expires: float | None = 5) -> SimulatedKey:
    return key(key_id, SA_1, LKC_1, days=days, expires=expires)


def times(harness: Harness) -> tuple[float | None, float | None]:
    return harness.value(CREATED), harness.value(EXPIRY)


async def refreshed(*keys: SimulatedKey, more: str = "") -> Harness:
    harness = Harness([OTHER, *keys]).configured(more)
    await harness.exporter.refresh_once()
    return harness


class RotatingHarness(Harness):
    """As :class:`Harness`; the id of the key is in a file, and two keys are valid."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.file = folder / "key"
        self.file.write_text(API_KEY)
        super().__init__(**settings)

    def create_simulator(self, **settings: Any) -> Simulator:
        self.accounts.append(Account(NEXT_KEY, SECRET, self.organization))
        return super().create_simulator(**settings)

    def credentials(self, number: int) -> str:
        del number
        return f"{{api_key_file: {self.file}, api_secret_env: SECRET}}"


async def test_the_times_are_those_of_the_key_that_the_exporter_uses() -> None:
    assert times(await refreshed(own())) == (EPOCH - 30 * DAY, EPOCH + 5 * DAY)


async def test_a_key_that_does_not_expire_has_no_expiry() -> None:
    assert times(await refreshed(own(expires=None))) == (EPOCH - 30 * DAY, None)


async def test_times_that_cannot_be_true_are_not_exposed() -> None:
    created_in_1970, expires_in_2500 = EPOCH / DAY, 474 * 365
    harness = await refreshed(own(days=created_in_1970, expires=expires_in_2500))
    assert harness.value("confluent_cloud_organization_api_keys") == 2
    assert times(harness) == (None, None)
    assert "  own key:     unknown age, does not expire" in harness.described().splitlines()


async def test_a_key_that_filters_hide_has_no_times() -> None:
    harness = await refreshed(own(), more="    filters: {resources: [lkc-2]}\n")
    assert times(harness) == (None, None)


async def test_a_key_that_the_role_hides_has_no_times() -> None:
    harness = await refreshed()
    assert harness.value("confluent_cloud_organization_api_keys") == 1
    assert times(harness) == (None, None)
    assert "own key:" not in harness.described()


async def test_an_identity_pool_has_no_times(tmp_path: Path) -> None:
    harness = PoolHarness(tmp_path, keys=[own(), own("pool-0")])
    await harness.exporter.refresh_once()
    assert harness.value("confluent_cloud_organization_api_keys") == 2
    assert times(harness) == (None, None)
    assert "own key:" not in harness.described()


async def test_organizations_have_the_times_of_their_own_keys() -> None:
    harness = Harness([own()], names=("acme", "globex"))
    await harness.exporter.refresh_once()
    assert harness.value(CREATED) == EPOCH - 30 * DAY
    assert harness.value(CREATED, organization="globex") is None


async def test_the_times_follow_a_rotation_from_the_next_refresh_on(tmp_path: Path) -> None:
    harness = RotatingHarness(tmp_path, keys=[own(), own(NEXT_KEY, days=0, expires=90)])
    await harness.exporter.refresh_once()
    harness.file.write_text(NEXT_KEY)
    assert times(harness) == (EPOCH - 30 * DAY, EPOCH + 5 * DAY)
    await harness.exporter.refresh_once()
    assert times(harness) == (EPOCH, EPOCH + 90 * DAY)


async def test_only_the_listing_decides_which_key_is_used(tmp_path: Path) -> None:
    settings = "names: {enabled: true, refresh_interval: 1m}"
    harness = RotatingHarness(
        tmp_path, keys=[own(), own(NEXT_KEY, days=0, expires=90)], settings=settings
    )
    async with harness.exporter.running():
        await harness.clock.sleep(1)
        harness.file.write_text(NEXT_KEY)
        await harness.clock.sleep(240)  # until after refreshes of the names, but not of the keys
        assert harness.state.refreshes["names"].refreshes > 1
        assert times(harness) == (EPOCH - 30 * DAY, EPOCH + 5 * DAY)
        await harness.clock.sleep(60)
        assert times(harness) == (EPOCH, EPOCH + 90 * DAY)


async def test_a_key_that_was_rotated_to_one_that_is_not_listed_has_no_times(
    tmp_path: Path,
) -> None:
    harness = RotatingHarness(tmp_path, keys=[own()])
    await harness.exporter.refresh_once()
    harness.file.write_text(NEXT_KEY)
    await harness.exporter.refresh_once()
    assert harness.state.prioritized.up
    assert times(harness) == (None, None)


async def test_the_times_stay_while_the_key_cannot_be_read_and_disappear_with_the_listing(
    tmp_path: Path,
) -> None:
    harness = RotatingHarness(tmp_path, keys=[own()])
    await harness.exporter.refresh_once()
    harness.file.unlink()
    await harness.clock.sleep(899)
    await harness.exporter.refresh_once()
    assert harness.state.prioritized.failure is not None
    assert times(harness) == (EPOCH - 30 * DAY, EPOCH + 5 * DAY)
    await harness.clock.sleep(1)
    assert times(harness) == (None, None)


async def test_the_times_are_exposed_throughout_a_reload() -> None:
    harness = Harness([own()])
    async with harness.exporter.running():
        await harness.clock.sleep(1)
        exporter = harness.exporter
        harness.simulator.faults.append(parse_fault("slow:9s"))
        await exporter.reload(harness.configured("    page_size: 50\n").config)
        harness.exporter = exporter
        assert times(harness) == (EPOCH - 30 * DAY, EPOCH + 5 * DAY)
        await exporter.aclose()


@pytest.mark.parametrize(
    ("expires", "line"),
    [
        (
            5,
            "  own key:     created 2026-08-22 14:13:20 UTC, expires 2026-09-26 14:13:20 UTC",
        ),
        (None, "  own key:     created 2026-08-22 14:13:20 UTC, does not expire"),
    ],
)
async def test_check_prints_when_the_key_was_created_and_expires(
    expires: float | None, line: str
) -> None:
    harness = await refreshed(own(expires=expires))
    summary, *_, last = harness.described().splitlines()
    assert summary.endswith("; own key seen")
    assert last == line
