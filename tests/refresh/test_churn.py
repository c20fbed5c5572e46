from __future__ import annotations

from dataclasses import replace

import httpx
from structlog.testing import capture_logs

from exporter.simulator import CLOUD, SimulatedKey, SimulatedOwner, SimulatedResource
from tests.harness import URL, Harness, configuration
from tests.virtual_time import EPOCH

ANN, BOB = SimulatedOwner("sa-ann", "service-account"), SimulatedOwner("u-bob", "user")
KAFKA = SimulatedResource("lkc-1", "kafka", "env-1")
REGISTRY = SimulatedResource("lsrc-1", "schema-registry", "env-1")


def key(
    key_id: str, owner: SimulatedOwner | None = ANN, *resources: SimulatedResource
) -> SimulatedKey:
    return SimulatedKey(key_id, owner, resources or (KAFKA,), created_at=EPOCH)


def counted(harness: Harness, what: str) -> dict[tuple[str, str], float]:
    return {
        (dict(labels)["owner_kind"], dict(labels)["resource_kind"]): value
        for (_, labels), value in harness.series(f"confluent_cloud_api_keys_{what}_total").items()
        if value
    }


async def test_created_and_deleted_keys_are_counted_by_kind_and_logged_by_id() -> None:
    harness = Harness([key("A"), key("B"), key("C", BOB, CLOUD)])
    await harness.exporter.refresh_once()
    assert counted(harness, "created") == counted(harness, "deleted") == {}

    harness.organization.delete("A")
    harness.organization.add(key("D", BOB, KAFKA, REGISTRY))
    harness.organization.add(key("E", None, KAFKA))
    with capture_logs() as logs:
        await harness.exporter.refresh_once()
    assert counted(harness, "created") == {
        ("user", "kafka"): 1,
        ("user", "schema-registry"): 1,
        ("internal", "kafka"): 1,
    }
    assert counted(harness, "deleted") == {("service-account", "kafka"): 1}
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
    harness.organization.delete("B")
    await harness.exporter.refresh_once()
    assert counted(harness, "deleted") == {("service-account", "kafka"): 2}


async def test_exempt_keys_are_counted_apart() -> None:
    machine = SimulatedOwner("sa-machine", "service-account")
    harness = Harness([key("A", machine), key("B")], settings="policy: {exempt: {owners: [sa-m*]}}")
    await harness.exporter.refresh_once()
    both = list(harness.series("confluent_cloud_api_keys_created_total").values())
    assert both == [0] * 2 * 4 * 8

    harness.organization.delete("A")
    harness.organization.delete("B")
    for each in ("C", "D"):
        harness.organization.add(key(each, machine))
    harness.organization.add(key("E"))
    await harness.exporter.refresh_once()

    assert harness.values("confluent_cloud_api_keys_created_total", "exempt") == {
        "true": 2,
        "false": 1,
    }
    assert harness.values("confluent_cloud_api_keys_deleted_total", "exempt") == {
        "true": 1,
        "false": 1,
    }


async def test_a_key_counts_as_exempt_by_the_settings_at_that_time() -> None:
    harness = Harness([key("A")], settings="refresh_interval: 1m")
    exempt = configuration("refresh_interval: 1m, policy: {exempt: {owners: [sa-ann]}}")
    async with harness.exporter.running():
        await harness.clock.sleep(1)
        harness.organization.add(key("B"))
        await harness.clock.sleep(60)
        await harness.exporter.reload(exempt)
        await harness.clock.sleep(1)
        harness.organization.add(key("C"))
        await harness.clock.sleep(60)
        name = "confluent_cloud_api_keys_created_total"
        assert harness.values(name, "exempt") == {"false": 1, "true": 1}
        await harness.exporter.reload(configuration("refresh_interval: 1m"))
        await harness.clock.sleep(1)
        assert harness.values(name, "exempt") == {"false": 1, "true": 1}


async def test_a_key_that_becomes_visible_again_is_not_counted_as_created() -> None:
    old = replace(key("A"), created_at=EPOCH - 3600)
    unknown = replace(key("B"), created_at=0.0)  # a zero value
    harness = Harness([old, unknown, key("C")])
    harness.accounts[0].visible = lambda each: each.id == "C"
    async with harness.exporter.running():
        await harness.clock.sleep(301)
        harness.accounts[0].visible = None
        harness.organization.add(replace(key("D"), created_at=EPOCH + 301))
        with capture_logs() as logs:
            await harness.clock.sleep(300)
    assert counted(harness, "created") == {("service-account", "kafka"): 2}
    said = {(entry["event"], entry["api_key_id"]) for entry in logs if "api_key_id" in entry}
    assert said == {
        ("api key now visible", "A"),
        ("api key created", "B"),
        ("api key created", "D"),
    }


async def test_keys_created_during_an_outage_are_counted() -> None:
    harness = Harness([key("A")], settings="stale_after: 1d")
    async with harness.exporter.running():
        await harness.clock.sleep(1)
        harness.accounts[0].role = "none"
        await harness.clock.sleep(3600)
        harness.organization.add(replace(key("B"), created_at=EPOCH + 600))
        harness.accounts[0].role = "OrganizationAdmin"
        await harness.clock.sleep(600)
    assert counted(harness, "created") == {("service-account", "kafka"): 1}


async def test_changed_names_and_descriptions_are_not_churn() -> None:
    harness = Harness([key("A"), key("B")])
    await harness.exporter.refresh_once()
    harness.organization.replace(
        replace(key("A"), display_name="new", description="new", updated_at=EPOCH + 5)
    )
    await harness.exporter.refresh_once()
    assert counted(harness, "created") == counted(harness, "deleted") == {}


async def test_a_failed_refresh_is_not_churn() -> None:
    harness = Harness([key("A")])
    await harness.exporter.refresh_once()
    harness.accounts[0].role = "none"
    await harness.exporter.refresh_once()
    harness.accounts[0].role = "OrganizationAdmin"
    await harness.exporter.refresh_once()
    assert counted(harness, "deleted") == {}


async def test_changed_filters_restart_the_count() -> None:
    harness = Harness([key("A"), key("C", BOB, CLOUD)])
    async with harness.exporter.running():
        await harness.clock.sleep(1)
        await harness.exporter.reload(configuration(more="    filters: {resources: [cloud]}\n"))
        await harness.clock.sleep(1)
    assert counted(harness, "deleted") == {}
    assert harness.value("confluent_cloud_organization_api_keys") == 1


async def test_every_combination_of_kinds_is_at_0_before_its_first_event() -> None:
    harness = Harness([key("A")])
    await harness.exporter.refresh_once()
    zeros = [
        value
        for (name, _), value in harness.series().items()
        if name == "confluent_cloud_api_keys_created_total"
    ]
    assert zeros == [0] * 4 * 8  # including the kind of unrecognized resources


async def test_the_log_of_many_deletions_is_limited() -> None:
    harness = Harness(2500)
    await harness.exporter.refresh_once()
    harness.accounts[0].visible = lambda _: False
    with capture_logs() as logs:
        await harness.exporter.refresh_once()
    assert sum(entry["event"] == "api key deleted" for entry in logs) == 1000
    (rest,) = [entry for entry in logs if entry["event"] == "further keys are not logged"]
    assert (rest["about"], rest["keys"]) == ("api key deleted", 1500)
    assert sum(counted(harness, "deleted").values()) >= 2500


async def test_a_temporarily_unreadable_key_is_neither_deleted_nor_created() -> None:
    good = '{"id": "A", "spec": {"owner": {"id": "sa-1"}}}'
    bad = '{"id": "A", "spec": {"owner": 7}}'
    bodies = [f'{{"data": [{item}], "metadata": {{}}}}' for item in (good, bad, bad, good)]

    async def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=httpx.ByteStream(bodies.pop(0).encode()))

    harness = Harness(0)
    harness.wire = httpx.MockTransport(answer)
    harness.configured()
    for total in (1, 0, 0, 1):
        await harness.exporter.refresh_once()
        assert harness.value("confluent_cloud_organization_api_keys") == total
        assert counted(harness, "created") == counted(harness, "deleted") == {}
        assert not harness.value("confluent_cloud_organization_vanished_api_keys")


async def test_a_reload_neither_loses_nor_repeats_events() -> None:
    harness = Harness([key("A")], settings="refresh_interval: 1m")
    async with harness.exporter.running():
        await harness.clock.sleep(1)
        harness.organization.add(key("B"))
        await harness.clock.sleep(60)
        await harness.exporter.reload(configuration("refresh_interval: 1m, max_pairs: 7"))
        await harness.clock.sleep(61)
        assert counted(harness, "created") == {("service-account", "kafka"): 1}
        refreshes = harness.value("confluent_cloud_exporter_refreshes_total", collector="api_keys")
        assert refreshes == 4


async def test_a_changed_policy_applies_immediately_to_the_listed_keys() -> None:
    harness = Harness([replace(key("A"), created_at=EPOCH - 10 * 86_400)])
    async with harness.exporter.running():
        await harness.clock.sleep(1)
        harness.accounts[0].role = "none"
        await harness.exporter.reload(configuration("policy: {max_age: 5d}"))
        await harness.clock.sleep(1)
        policy = {"policy": "max_age", "owner_id": "sa-ann", "owner_kind": "service-account"}
        assert harness.value("confluent_cloud_api_key_policy_violations", **policy) == 1
        assert (
            harness.value("confluent_cloud_api_key_policy_threshold_seconds", policy="max_age")
            == 5 * 86_400
        )


async def test_every_policy_with_a_duration_has_a_threshold() -> None:
    usage = f"usage: {{enabled: true, url: '{URL}'}}"
    policy = "policy: {max_age: 5d, expires_within: 2d, unused_for: 3d}"
    harness = Harness(0, settings=f"{usage}, {policy}")
    found = harness.series("confluent_cloud_api_key_policy_threshold_seconds")
    assert {dict(labels)["policy"]: value for (_, labels), value in found.items()} == {
        "max_age": 5 * 86_400,
        "expires_within": 2 * 86_400,
        "unused_for": 3 * 86_400,
    }


async def test_changed_teams_and_overrides_apply_immediately_to_the_listed_keys() -> None:
    harness = Harness([replace(key("A"), created_at=EPOCH - 10 * 86_400)])
    policy = {"policy": "max_age", "owner_id": "sa-ann", "owner_kind": "service-account"}
    async with harness.exporter.running():
        await harness.clock.sleep(1)
        harness.accounts[0].role = "none"
        for days, team in ((5, "payments"), (9, "orders")):
            changed = (
                f"    policy: {{overrides: [{{owners: [sa-*], max_age: {days}d}}]}}\n"
                f"teams: [{{name: {team}, owners: [sa-ann]}}]\n"
            )
            await harness.exporter.reload(configuration(more=changed))
            await harness.clock.sleep(1)
            assert harness.value("confluent_cloud_api_key_policy_violations", **policy) == 1
            found = harness.series("confluent_cloud_owner_team_info")
            assert [dict(labels)["team"] for _, labels in found] == [team]
        # The threshold is that of the organization.
        name = "confluent_cloud_api_key_policy_threshold_seconds"
        assert harness.value(name, policy="max_age") == 90 * 86_400


async def test_an_organization_can_have_its_own_policy() -> None:
    old = replace(key("A"), created_at=EPOCH - 10 * 86_400)
    for more, findings, threshold in (
        ("", 1, 5 * 86_400),
        ("    policy: {max_age: 20d}\n", 0, 20 * 86_400),
        ("    policy: {max_age: null}\n", None, None),
        ("    policy: {exempt: {owners: [sa-*]}}\n", 0, 5 * 86_400),
    ):
        harness = Harness([old], settings="policy: {max_age: 5d}").configured(more)
        await harness.exporter.refresh_once()
        found = [
            value
            for (name, labels), value in harness.series().items()
            if name == "confluent_cloud_api_key_policy_violations"
            and dict(labels)["policy"] == "max_age"
        ]
        assert found == ([] if findings is None else [findings])
        name = "confluent_cloud_api_key_policy_threshold_seconds"
        assert harness.value(name, policy="max_age") == threshold


async def test_the_limit_for_unused_keys_is_published() -> None:
    name = "confluent_cloud_api_key_policy_threshold_seconds"
    for settings, threshold in (
        ("usage: {enabled: true}, policy: {unused_for: 3d}", 3 * 86_400),
        ("usage: {enabled: true}", None),
    ):
        harness = Harness([key("A")], settings=settings)
        await harness.exporter.refresh_once()
        assert harness.value(name, policy="unused_for") == threshold
