"""An unchanged refresh reuses the previous state, and exposes the same as a first refresh."""

from __future__ import annotations

from exporter.collectors.api_keys import API_KEYS_STATE
from tests.harness import Harness

DAY = 86_400.0
_OF_THE_PAST = ("_total", "_bucket", "_count", "_sum", "vanished", "rate_limit", "exporter_")


def shown(harness: Harness) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return the part that does not depend on the number of refreshes."""
    return {
        (name, labels): value
        for (name, labels), value in harness.series().items()
        if not any(each in name for each in _OF_THE_PAST) or name.endswith("age_seconds_bucket")
    }


async def test_unchanged_keys_at_a_later_time_are_exposed_as_by_a_first_refresh() -> None:
    settings = "names: {enabled: true}, per_key_metrics: true"
    old, new = Harness(300, settings=settings), Harness(300, settings=settings)
    await old.exporter.refresh_once()
    before = shown(old)
    for harness in (old, new):
        harness.clock.jump(40 * DAY)
    await old.exporter.refresh_once()
    await new.exporter.refresh_once()
    assert shown(old) == shown(new)
    assert shown(old) != before, "time has passed: ages, expiries and findings have changed"
    inventory = old.state.get(API_KEYS_STATE).inventory
    assert inventory is not None
    assert inventory.total == 300


async def test_an_additional_key_is_a_change() -> None:
    harness = Harness(50)
    await harness.exporter.refresh_once()
    await harness.exporter.refresh_once()
    old = next(iter(harness.organization.keys.values()))
    harness.organization.create(owner=old.owner, resources=old.resources, now=harness.clock.wall())
    await harness.exporter.refresh_once()
    assert harness.value("confluent_cloud_organization_api_keys") == 51
    assert sum(harness.values("confluent_cloud_api_keys", "resource_id").values()) >= 2
    fresh = Harness(0)
    for key in harness.organization.keys.values():
        fresh.organization.add(key)
    await fresh.exporter.refresh_once()
    assert shown(harness) == shown(fresh)


async def test_a_key_from_the_future_has_an_age_once_its_creation_is_plausible() -> None:
    harness = Harness(10)
    old = next(iter(harness.organization.keys.values()))
    ahead = harness.clock.wall() + 0.5 * DAY
    harness.organization.create(owner=old.owner, resources=old.resources, now=ahead)

    def aged() -> float:
        return sum(
            harness.values("confluent_cloud_api_keys_age_seconds_gcount", "owner_kind").values()
        )

    await harness.exporter.refresh_once()
    assert aged() == 10
    await harness.exporter.refresh_once()
    assert aged() == 10
    harness.clock.jump(DAY)
    await harness.exporter.refresh_once()
    assert aged() == 11
