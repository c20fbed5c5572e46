from __future__ import annotations

from dataclasses import replace

import httpx
from structlog.testing import capture_logs

from exporter.simulator import CLOUD, SimulatedKey, SimulatedOwner, SimulatedResource
from tests.virtual_time import EPOCH
from tests.world import World, configuration

ANN, BOB = SimulatedOwner("sa-ann", "service-account"), SimulatedOwner("u-bob", "user")
KAFKA = SimulatedResource("lkc-1", "kafka", "env-1")
REGISTRY = SimulatedResource("lsrc-1", "schema-registry", "env-1")


def key(
    key_id: str, owner: SimulatedOwner | None = ANN, *resources: SimulatedResource
) -> SimulatedKey:
    return SimulatedKey(key_id, owner, resources or (KAFKA,), created_at=EPOCH)


def counted(world: World, what: str) -> dict[tuple[str, str], float]:
    return {
        (dict(labels)["owner_kind"], dict(labels)["resource_kind"]): value
        for (name, labels), value in world.series().items()
        if name == f"confluent_cloud_api_keys_{what}_total" and value
    }


async def test_created_and_deleted_keys_are_counted_by_kind_and_logged_by_id() -> None:
    world = World([key("A"), key("B"), key("C", BOB, CLOUD)])
    await world.exporter.refresh_once()
    assert counted(world, "created") == counted(world, "deleted") == {}

    world.organization.delete("A")
    world.organization.add(key("D", BOB, KAFKA, REGISTRY))
    world.organization.add(key("E", None, KAFKA))
    with capture_logs() as logs:
        await world.exporter.refresh_once()
    assert counted(world, "created") == {
        ("user", "kafka"): 1,
        ("user", "schema-registry"): 1,
        ("internal", "kafka"): 1,
    }
    assert counted(world, "deleted") == {("service-account", "kafka"): 1}
    said = {
        (entry["event"], entry["api_key_id"], entry["owner_id"], entry["resource_id"])
        for entry in logs
        if "api_key_id" in entry
    }
    assert said == {
        ("api key created", "D", "u-bob", "lkc-1,lsrc-1"),
        ("api key created", "E", "", "lkc-1"),
        ("api key deleted", "A", "sa-ann", "lkc-1"),
    }
    world.organization.delete("B")
    await world.exporter.refresh_once()
    assert counted(world, "deleted") == {("service-account", "kafka"): 2}


async def test_a_key_that_becomes_visible_again_is_not_counted_as_created() -> None:
    old = replace(key("A"), created_at=EPOCH - 3600)
    unknown = replace(key("B"), created_at=0.0)  # a zero value
    world = World([old, unknown, key("C")])
    world.accounts[0].visible = lambda each: each.id == "C"
    async with world.exporter.running():
        await world.clock.sleep(301)
        world.accounts[0].visible = None
        world.organization.add(replace(key("D"), created_at=EPOCH + 301))
        with capture_logs() as logs:
            await world.clock.sleep(300)
    assert counted(world, "created") == {("service-account", "kafka"): 2}
    said = {(entry["event"], entry["api_key_id"]) for entry in logs if "api_key_id" in entry}
    assert said == {
        ("api key revealed", "A"),
        ("api key created", "B"),
        ("api key created", "D"),
    }


async def test_keys_created_during_an_outage_are_counted() -> None:
    world = World([key("A")], settings="stale_after: 1d")
    async with world.exporter.running():
        await world.clock.sleep(1)
        world.accounts[0].role = "none"
        await world.clock.sleep(3600)
        world.organization.add(replace(key("B"), created_at=EPOCH + 600))
        world.accounts[0].role = "OrganizationAdmin"
        await world.clock.sleep(600)
    assert counted(world, "created") == {("service-account", "kafka"): 1}


async def test_changed_names_and_descriptions_are_not_churn() -> None:
    world = World([key("A"), key("B")])
    await world.exporter.refresh_once()
    world.organization.replace(
        replace(key("A"), display_name="new", description="new", updated_at=EPOCH + 5)
    )
    await world.exporter.refresh_once()
    assert counted(world, "created") == counted(world, "deleted") == {}


async def test_a_failed_refresh_is_not_churn() -> None:
    world = World([key("A")])
    await world.exporter.refresh_once()
    world.accounts[0].role = "none"
    await world.exporter.refresh_once()
    world.accounts[0].role = "OrganizationAdmin"
    await world.exporter.refresh_once()
    assert counted(world, "deleted") == {}


async def test_changed_filters_restart_the_count() -> None:
    world = World([key("A"), key("C", BOB, CLOUD)])
    async with world.exporter.running():
        await world.clock.sleep(1)
        await world.exporter.reload(configuration(more="    filters: {resources: [cloud]}\n"))
        await world.clock.sleep(1)
    assert counted(world, "deleted") == {}
    assert world.value("confluent_cloud_organization_api_keys") == 1


async def test_every_combination_of_kinds_is_at_0_before_its_first_event() -> None:
    world = World([key("A")])
    await world.exporter.refresh_once()
    zeros = [
        value
        for (name, _), value in world.series().items()
        if name == "confluent_cloud_api_keys_created_total"
    ]
    assert zeros == [0] * 4 * 8  # including the kind of unrecognized resources


async def test_the_log_of_many_deletions_is_limited() -> None:
    world = World(2500)
    await world.exporter.refresh_once()
    world.accounts[0].visible = lambda _: False
    with capture_logs() as logs:
        await world.exporter.refresh_once()
    assert sum(entry["event"] == "api key deleted" for entry in logs) == 1000
    (rest,) = [entry for entry in logs if entry["event"] == "more of the same"]
    assert (rest["about"], rest["keys"]) == ("api key deleted", 1500)
    assert sum(counted(world, "deleted").values()) >= 2500


async def test_a_temporarily_unreadable_key_is_neither_deleted_nor_created() -> None:
    good = '{"id": "A", "spec": {"owner": {"id": "sa-1"}}}'
    bad = '{"id": "A", "spec": {"owner": 7}}'
    bodies = [f'{{"data": [{item}], "metadata": {{}}}}' for item in (good, bad, bad, good)]

    async def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=httpx.ByteStream(bodies.pop(0).encode()))

    world = World(0)
    world.wire = httpx.MockTransport(answer)
    world.configured()
    for total in (1, 0, 0, 1):
        await world.exporter.refresh_once()
        assert world.value("confluent_cloud_organization_api_keys") == total
        assert counted(world, "created") == counted(world, "deleted") == {}
        assert not world.value("confluent_cloud_organization_vanished_api_keys")


async def test_a_reload_neither_loses_nor_repeats_events() -> None:
    world = World([key("A")], settings="refresh_interval: 1m")
    async with world.exporter.running():
        await world.clock.sleep(1)
        world.organization.add(key("B"))
        await world.clock.sleep(60)
        await world.exporter.reload(configuration("refresh_interval: 1m, max_pairs: 7"))
        await world.clock.sleep(61)
        assert counted(world, "created") == {("service-account", "kafka"): 1}
        refreshes = world.value("confluent_cloud_exporter_refreshes_total", collector="api_keys")
        assert refreshes == 4


async def test_a_changed_policy_applies_immediately_to_the_listed_keys() -> None:
    world = World([replace(key("A"), created_at=EPOCH - 10 * 86_400)])
    async with world.exporter.running():
        await world.clock.sleep(1)
        world.accounts[0].role = "none"
        await world.exporter.reload(configuration("policy: {max_age: 5d}"))
        await world.clock.sleep(1)
        policy = {"policy": "max_age", "owner_id": "sa-ann", "owner_kind": "service-account"}
        assert world.value("confluent_cloud_api_key_policy_violations", **policy) == 1
        assert (
            world.value("confluent_cloud_api_key_policy_threshold_seconds", policy="max_age")
            == 5 * 86_400
        )


async def test_an_organization_can_have_its_own_policy() -> None:
    old = replace(key("A"), created_at=EPOCH - 10 * 86_400)
    for more, findings, threshold in (
        ("", 1, 5 * 86_400),
        ("    policy: {max_age: 20d}\n", 0, 20 * 86_400),
        ("    policy: {max_age: null}\n", None, None),
        ("    policy: {exempt: {owners: [sa-*]}}\n", 0, 5 * 86_400),
    ):
        world = World([old], settings="policy: {max_age: 5d}").configured(more)
        await world.exporter.refresh_once()
        found = [
            value
            for (name, labels), value in world.series().items()
            if name == "confluent_cloud_api_key_policy_violations"
            and dict(labels)["policy"] == "max_age"
        ]
        assert found == ([] if findings is None else [findings])
        name = "confluent_cloud_api_key_policy_threshold_seconds"
        assert world.value(name, policy="max_age") == threshold
