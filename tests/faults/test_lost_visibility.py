"""A role that is taken away looks like a shorter list, without an error."""

from __future__ import annotations

from tests.web.browser import page_of
from tests.world import World

TOTAL = "confluent_cloud_organization_api_keys"
VANISHED = "confluent_cloud_organization_vanished_api_keys"
RATIO = "confluent_cloud_organization_vanished_api_keys_ratio"


async def test_a_lost_role_and_a_clean_up_can_be_told_apart() -> None:
    world = World(200)
    await world.exporter.refresh_once()
    assert world.value(RATIO) is None

    for key_id in list(world.organization.keys)[:10]:
        world.organization.delete(key_id)
    await world.exporter.refresh_once()
    assert (world.value(TOTAL), world.value(VANISHED), world.value(RATIO)) == (190, 10, 0.05)

    world.accounts[0].visible = lambda key: key.id in list(world.organization.keys)[:19]
    await world.exporter.refresh_once()
    assert (world.value(TOTAL), world.value(VANISHED), world.value(RATIO)) == (19, 171, 0.9)
    assert world.value("confluent_cloud_up", collector="api_keys") == 1

    await world.exporter.refresh_once()
    assert (world.value(VANISHED), world.value(RATIO)) == (0, 0)


async def test_a_failed_refresh_in_between_compares_complete_ones() -> None:
    world = World(20)
    await world.exporter.refresh_once()
    world.organization.delete(next(iter(world.organization.keys)))
    world.accounts[0].role = "none"
    await world.exporter.refresh_once()
    world.accounts[0].role = "OrganizationAdmin"
    await world.exporter.refresh_once()
    assert (world.value(VANISHED), world.value(RATIO)) == (1, 0.05)


async def test_the_page_says_whom_the_credentials_can_see_and_what_vanished() -> None:
    world = World(200)
    owners = {key.owner for key in world.organization.keys.values()}
    users = sum(owner is not None and owner.kind == "user" for owner in owners)
    await world.exporter.refresh_once()
    page = await page_of(world)
    assert f"{users} user" in page
    assert "Vanished" not in page
    world.accounts[0].visible = lambda key: key.owner is None
    await world.exporter.refresh_once()
    page = await page_of(world)
    assert "1 internal" in page
    assert "Vanished in the latest refresh" in page
