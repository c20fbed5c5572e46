"""A role that is taken away looks like a shorter list, without an error."""

from __future__ import annotations

from tests.harness import Harness
from tests.web.browser import page_of

TOTAL = "confluent_cloud_organization_api_keys"
VANISHED = "confluent_cloud_organization_vanished_api_keys"
RATIO = "confluent_cloud_organization_vanished_api_keys_ratio"


async def test_a_lost_role_and_a_clean_up_can_be_told_apart() -> None:
    harness = Harness(200)
    await harness.exporter.refresh_once()
    assert harness.value(RATIO) is None

    for key_id in list(harness.organization.keys)[:10]:
        harness.organization.delete(key_id)
    await harness.exporter.refresh_once()
    assert (harness.value(TOTAL), harness.value(VANISHED), harness.value(RATIO)) == (190, 10, 0.05)

    harness.accounts[0].visible = lambda key: key.id in list(harness.organization.keys)[:19]
    await harness.exporter.refresh_once()
    assert (harness.value(TOTAL), harness.value(VANISHED), harness.value(RATIO)) == (19, 171, 0.9)
    assert harness.value("confluent_cloud_up", collector="api_keys") == 1

    await harness.exporter.refresh_once()
    assert (harness.value(VANISHED), harness.value(RATIO)) == (0, 0)


async def test_a_failed_refresh_in_between_compares_complete_ones() -> None:
    harness = Harness(20)
    await harness.exporter.refresh_once()
    harness.organization.delete(next(iter(harness.organization.keys)))
    harness.accounts[0].role = "none"
    await harness.exporter.refresh_once()
    harness.accounts[0].role = "OrganizationAdmin"
    await harness.exporter.refresh_once()
    assert (harness.value(VANISHED), harness.value(RATIO)) == (1, 0.05)


async def test_the_page_says_whom_the_credentials_can_see_and_what_vanished() -> None:
    harness = Harness(200)
    owners = {key.owner for key in harness.organization.keys.values()}
    users = sum(owner is not None and owner.kind == "user" for owner in owners)
    await harness.exporter.refresh_once()
    page = await page_of(harness)
    assert f"{users} user" in page
    assert "Vanished" not in page
    harness.accounts[0].visible = lambda key: key.owner is None
    await harness.exporter.refresh_once()
    page = await page_of(harness)
    assert "1 internal" in page
    assert "Vanished in the latest refresh" in page
