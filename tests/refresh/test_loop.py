from __future__ import annotations

import asyncio
import gc
import weakref
from random import Random
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from exporter.app import Exporter
from exporter.errors import StartUpError
from exporter.refresh.schedule import delay_after_failure, delay_after_success
from exporter.simulator import (
    QUOTA_SCOPES_PATH,
    SERVICE_ACCOUNTS_PATH,
    SimulatedRateLimit,
    parse_fault,
)
from tests.harness import API_KEY, API_KEYS, Harness, configuration

if TYPE_CHECKING:
    import httpx

    from exporter.config import Organization
    from exporter.refresh import OrganizationState

MINUTE = 60.0
TOTAL = "confluent_cloud_organization_api_keys"


async def test_the_first_refresh_starts_immediately_and_the_interval_is_from_start_to_start() -> (
    None
):
    harness = Harness(5, settings="refresh_interval: 1m", faults=[parse_fault("slow:7s")])
    async with harness.exporter.running():
        await harness.clock.sleep(5 * MINUTE - 1)
    times = [request.time for request in harness.simulator.requests]
    assert times == [0, 60, 120, 180, 240]


async def test_a_later_refresh_replaces_the_previous_state() -> None:
    harness = Harness(5, settings="refresh_interval: 1m")
    async with harness.exporter.running():
        await harness.clock.sleep(1)
        assert harness.value(TOTAL) == 5
        gone = next(iter(harness.organization.keys))
        harness.organization.delete(gone)
        await harness.clock.sleep(30)
        assert harness.value(TOTAL) == 5
        await harness.clock.sleep(30)
        assert harness.value(TOTAL) == 4


async def test_the_last_good_state_is_exposed_until_stale_and_returns_after_a_success() -> None:
    harness = Harness(5, settings="refresh_interval: 1m, stale_after: 5m")
    async with harness.exporter.running():
        await harness.clock.sleep(1)
        succeeded = harness.value(
            "confluent_cloud_exporter_last_success_timestamp_seconds", collector="api_keys"
        )
        harness.simulator.faults.append(parse_fault("500"))
        await harness.clock.sleep(5 * MINUTE - 1.5)
        assert harness.value(TOTAL) == 5
        assert harness.value("confluent_cloud_up", collector="api_keys") == 0
        await harness.clock.sleep(0.5)
        assert harness.value(TOTAL) is None
        assert succeeded == harness.value(
            "confluent_cloud_exporter_last_success_timestamp_seconds", collector="api_keys"
        )
        harness.simulator.faults.clear()
        await harness.clock.sleep(2 * MINUTE)
        assert harness.value(TOTAL) == 5
        assert harness.value("confluent_cloud_up", collector="api_keys") == 1


async def test_a_stale_organization_does_not_affect_others() -> None:
    harness = Harness(5, names=("acme", "globex"), settings="refresh_interval: 1m, stale_after: 2m")
    async with harness.exporter.running():
        await harness.clock.sleep(1)
        harness.accounts[0].role = "none"
        await harness.clock.sleep(5 * MINUTE)
        assert harness.value(TOTAL) is None
        assert harness.value(TOTAL, organization="globex") == 5


async def test_nothing_is_exposed_before_the_first_refresh() -> None:
    harness = Harness(5, faults=[parse_fault("slow:5s")])
    async with harness.exporter.running():
        await harness.clock.sleep(1)
        assert harness.value(TOTAL) is None
        assert harness.value("confluent_cloud_up", collector="api_keys") is None
        assert not harness.state.attempted
        await harness.clock.sleep(5)
        assert harness.value("confluent_cloud_up", collector="api_keys") == 1


async def test_a_refresh_that_exceeds_its_timeout_fails() -> None:
    harness = Harness(
        25,
        settings="page_size: 5, refresh_interval: 1m, refresh_timeout: 20s, request_timeout: 9s",
        faults=[parse_fault("slow:8s")],
    )
    async with harness.exporter.running():
        await harness.clock.sleep(20.1)
        failure = harness.state.refreshes["api_keys"].failure
        assert failure is not None
        assert failure.reason == "timeout"
        assert len(harness.simulator.requests) == 3


async def test_a_rotated_secret_is_used_without_a_restart() -> None:
    harness = Harness(5)
    harness.accounts[0].api_secret = "new"
    await harness.exporter.refresh_once()
    assert harness.value("confluent_cloud_up", collector="api_keys") == 0
    harness.environ["SECRET"] = "new"
    await harness.exporter.refresh_once()
    assert harness.value("confluent_cloud_up", collector="api_keys") == 1


async def test_stopping_during_a_request_is_immediate_and_leaves_no_tasks() -> None:
    harness = Harness(25, settings="page_size: 5", faults=[parse_fault("slow:9s")])
    async with harness.exporter.running():
        await harness.clock.sleep(12)
        tasks = len(asyncio.all_tasks())
    assert harness.clock.monotonic() == 12
    assert len(asyncio.all_tasks()) == 1 < tasks


async def test_a_wall_clock_jump_does_not_affect_the_schedule() -> None:
    harness = Harness(5, settings="refresh_interval: 1m, stale_after: 5m")
    async with harness.exporter.running():
        for jump in (86_400, -200_000, 3600):
            await harness.clock.sleep(40)
            harness.clock.jump(jump)
        await harness.clock.sleep(60.5)
        assert harness.value(TOTAL) == 5
    assert [request.time for request in harness.simulator.requests] == [0, 60, 120, 180]


@pytest.mark.parametrize(
    ("failures", "longest"), [(1, 30), (2, 60), (3, 120), (4, 240), (5, 300), (500, 300)]
)
def test_the_delay_grows_with_each_failure_up_to_the_interval(
    failures: int, longest: float
) -> None:
    delays = [
        delay_after_failure(
            reason="server_error", failures_in_a_row=failures, interval=300, random=Random(seed)
        )
        for seed in range(200)
    ]
    assert longest / 2 <= min(delays) < longest * 0.6
    assert longest * 0.9 < max(delays) <= longest


@pytest.mark.parametrize("reason", ["unauthorized", "forbidden", "bad_request", "not_found"])
def test_failures_that_need_a_fix_are_retried_once_per_interval(reason: str) -> None:
    delay = delay_after_failure(reason=reason, failures_in_a_row=1, interval=300, random=Random(1))
    assert 300 <= delay <= 330


@pytest.mark.parametrize(("took", "delay"), [(0, 300), (100, 200), (300, 0), (900, 0)])
def test_the_interval_is_from_start_to_start(took: float, delay: float) -> None:
    assert delay_after_success(interval=300, took=took) == delay


async def test_a_reload_leaves_unchanged_organizations_alone() -> None:
    harness = Harness(5, names=("acme", "globex"), settings="refresh_interval: 1m")
    async with harness.exporter.running():
        await harness.clock.sleep(1)
        served = len(harness.simulator.requests)
        await harness.exporter.reload(
            configuration("refresh_interval: 1m", names=("acme", "globex"))
        )
        await harness.clock.sleep(1)
        assert len(harness.simulator.requests) == served
        assert harness.value(TOTAL) == 5


async def test_a_reload_starts_new_stops_removed_and_restarts_changed_organizations() -> None:
    harness = Harness(5, names=("acme", "globex", "initech"))
    await harness.exporter.reload(configuration(names=("acme", "globex")))
    async with harness.exporter.running():
        await harness.clock.sleep(1)
        served = len(harness.simulator.requests)
        await harness.exporter.reload(configuration("page_size: 2", names=("acme",)))
        await harness.clock.sleep(1)
        assert len(harness.simulator.requests) == served + 3
        assert harness.value(TOTAL) == 5
        assert 'organization="globex"' not in harness.exposition()


async def test_a_change_of_unrelated_settings_keeps_the_state() -> None:
    harness = Harness(5, settings="refresh_interval: 1m, stale_after: 3m")
    async with harness.exporter.running():
        await harness.clock.sleep(1)
        harness.simulator.faults.append(parse_fault("500"))
        await harness.clock.sleep(120)
        await harness.exporter.reload(configuration("refresh_interval: 1m, stale_after: 1h"))
        await harness.clock.sleep(240)
        assert harness.value(TOTAL) == 5
        await harness.clock.sleep(3600)
        assert harness.value(TOTAL) is None


async def test_changed_filters_discard_the_state() -> None:
    harness = Harness(5)
    async with harness.exporter.running():
        await harness.clock.sleep(1)
        harness.simulator.faults.append(parse_fault("500"))
        await harness.exporter.reload(configuration(more="    filters: {resources: [cloud]}\n"))
        assert harness.value(TOTAL) is None


async def test_ages_count_from_the_start_of_the_listing() -> None:
    harness = Harness(
        25,
        settings="page_size: 5, refresh_interval: 1m, stale_after: 2m",
        faults=[parse_fault("slow:8s")],
    )
    async with harness.exporter.running():
        await harness.clock.sleep(45)
        assert harness.value(TOTAL) == 25
        harness.accounts[0].role = "none"
        await harness.clock.sleep(74.9)
        assert harness.value(TOTAL) == 25
        await harness.clock.sleep(0.2)
        assert harness.value(TOTAL) is None


async def test_an_internal_error_is_reported_and_the_loop_continues() -> None:
    harness = Harness(5, settings="refresh_interval: 1m")
    publish, broken = harness.exporter.exposition.publish, [False] * 9 + [True]

    async def publish_or_break(state: OrganizationState) -> None:
        if broken.pop():
            raise RuntimeError("can't start new thread")
        await publish(state, organization.collectors)

    organization = next(iter(harness.exporter._organizations.values()))
    organization._holder._publish = publish_or_break  # nothing at the edges can break it here
    with capture_logs() as logs:
        async with harness.exporter.running():
            await harness.clock.sleep(1)
            assert harness.value("confluent_cloud_up", collector="api_keys") == 0
            assert harness.values("confluent_cloud_exporter_refresh_failures_total", "reason") == {
                "internal": 1
            }
            await harness.clock.sleep(60)
            assert harness.value(TOTAL) == 5
            assert harness.exporter.dead_loops() == []
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == [
        "error in the exporter; please report it",
        "refresh failed",
    ]


async def test_organizations_are_refreshed_concurrently() -> None:
    harness = Harness(5, names=("a", "b", "c"), faults=[parse_fault("slow:5s")])
    await harness.exporter.refresh_once()
    assert harness.clock.monotonic() == 5


async def test_a_persistent_failure_is_logged_in_full_once() -> None:
    harness = Harness(5, settings="refresh_interval: 1m", faults=[parse_fault("403")])
    with capture_logs() as logs:
        async with harness.exporter.running():
            await harness.clock.sleep(5 * MINUTE)
            harness.simulator.faults[:] = [parse_fault("401")]
            await harness.clock.sleep(5 * MINUTE)
    levels = [entry["log_level"] for entry in logs if "refresh failed" in entry["event"]]
    assert levels[:3] == ["error", "warning", "warning"]
    assert levels.count("error") == 2


async def test_an_insufficient_budget_is_reported_with_figures_and_a_remedy() -> None:
    harness = Harness(
        60,
        settings="page_size: 1, refresh_interval: 5m, stale_after: 1h",
        rate_limit=SimulatedRateLimit(10, 60),
    )
    with capture_logs() as logs:
        async with harness.exporter.running():
            await harness.clock.sleep(60 * MINUTE)
    errors = [entry for entry in logs if entry["log_level"] == "error"]
    assert errors[-1]["error"] == (
        "GET /iam/v2/api-keys: the refresh needs more requests than the exporter's share: 5 of 10"
        " per 60 s with the reserve of 0.5, at most 30 within the `refresh_timeout` of 300 s. Raise"
        " it, lower `rate_limit.reserve`, or list fewer keys with `filters`"
    )
    assert len(errors) == 1
    assert harness.values("confluent_cloud_api_request_failures_total", "reason") == {}
    windows = harness.simulator.window(harness.organization).windows().values()
    assert max(each[API_KEY].accepted for each in windows) <= 6


async def test_organizations_start_staggered_and_stay_so() -> None:
    harness = Harness(5, names=("acme", "globex", "initech"), settings="refresh_interval: 1m")
    async with harness.exporter.running():
        await harness.clock.sleep(61)
    began = [request.time for request in harness.simulator.requests]
    assert [round(at - began[0], 3) for at in began[:3]] == [0.0, 0.02, 0.04]
    assert [round(at - began[0]) for at in began[3:]] == [60, 60, 60]
    assert len(set(began)) == 6


async def test_low_priority_collectors_start_further_apart() -> None:
    names = ("acme", "globex", "initech")
    harness = Harness(5, names=names, settings="names: {enabled: true}")
    async with harness.exporter.running():
        await harness.clock.sleep(10)
    first: dict[str | None, float] = {}
    for request in harness.simulator.requests:
        if request.path != API_KEYS:
            first.setdefault(request.account, request.time)
    began = harness.simulator.requests[0].time
    assert [round(at - began, 3) for at in first.values()] == [0.0, 0.1, 0.2]


async def test_organizations_start_staggered_after_a_reload() -> None:
    names = ("acme", "globex", "initech")
    harness = Harness(5, names=names, settings="refresh_interval: 1h")
    async with harness.exporter.running():
        await harness.clock.sleep(10)
        await harness.exporter.reload(configuration("refresh_interval: 2h", names=names))
        await harness.clock.sleep(10)
    began = [request.time for request in harness.simulator.requests][3:]
    assert [round(at - began[0], 3) for at in began] == [0.0, 0.02, 0.04]


BOTH = "names: {enabled: true}, quotas: {enabled: true}"


async def test_names_and_quotas_are_fetched_as_soon_as_the_credentials_are_accepted() -> None:
    harness = Harness(50, settings=f"refresh_interval: 1m, {BOTH}", faults=[parse_fault("401")])
    async with harness.exporter.running():
        await harness.clock.sleep(10)
        assert harness.values("confluent_cloud_up", "collector") == {}
        harness.simulator.faults[:] = [parse_fault("500")]  # which is not a recovery
        await harness.clock.sleep(60)
        harness.simulator.faults.clear()
        harness.simulator.reset_requests()
        await harness.clock.sleep(60)
        assert harness.values("confluent_cloud_up", "collector") == {
            "api_keys": 1,
            "names": 1,
            "quotas": 1,
        }
        assert harness.value("confluent_cloud_organization_api_keys") == 50
        paths = [request.path for request in harness.simulator.requests]
        assert paths[0] == API_KEYS
        assert paths.count(QUOTA_SCOPES_PATH) == 1


@pytest.mark.parametrize("fault", ["401", "403"])
async def test_names_and_quotas_do_not_wait_an_interval_after_a_later_rejection(
    fault: str,
) -> None:
    harness = Harness(50, settings=f"refresh_interval: 1m, {BOTH}")
    async with harness.exporter.running():
        await harness.clock.sleep(59 * MINUTE + 30)
        harness.simulator.faults.append(parse_fault(fault))
        await harness.clock.sleep(5 * MINUTE)
        assert harness.values("confluent_cloud_up", "collector") == {}
        harness.simulator.faults.clear()
        harness.simulator.reset_requests()
        await harness.clock.sleep(67)
        assert harness.values("confluent_cloud_up", "collector").keys() == {
            "api_keys",
            "names",
            "quotas",
        }
        await harness.clock.sleep(10 * MINUTE)
        scopes = [one for one in harness.simulator.requests if one.path == QUOTA_SCOPES_PATH]
        assert len(scopes) == 1  # and from then on at the configured interval


async def test_low_priority_collectors_send_nothing_while_the_keys_cannot_connect() -> None:
    harness = Harness(5, settings=BOTH, faults=[parse_fault("reset")])
    await harness.exporter.refresh_once()
    assert {request.path for request in harness.simulator.requests} == {API_KEYS}
    failures = {name: state.failure for name, state in harness.state.refreshes.items()}
    assert {failure and failure.reason for failure in failures.values()} == {"connection"}
    assert "could not be listed for the same reason" in str(failures["names"])


async def test_names_rejected_slightly_longer_than_the_keys_are_retried_soon() -> None:
    faults = [parse_fault(f"401@{SERVICE_ACCOUNTS_PATH}")]
    harness = Harness(50, settings="refresh_interval: 1m, names: {enabled: true}", faults=faults)
    async with harness.exporter.running():
        await harness.clock.sleep(30)
        assert harness.values("confluent_cloud_up", "collector") == {"api_keys": 1}
        harness.simulator.faults.clear()
        await harness.clock.sleep(40)
        assert harness.values("confluent_cloud_up", "collector") == {"api_keys": 1, "names": 1}


@pytest.mark.parametrize(("fault", "requests"), [("401", 4), ("403", 1)])
async def test_names_that_stay_rejected_wait_for_their_interval(fault: str, requests: int) -> None:
    faults = [parse_fault(f"{fault}@{SERVICE_ACCOUNTS_PATH}")]
    harness = Harness(50, settings="refresh_interval: 1m, names: {enabled: true}", faults=faults)
    async with harness.exporter.running():
        await harness.clock.sleep(59 * MINUTE)
    asked = [one for one in harness.simulator.requests if one.path == SERVICE_ACCOUNTS_PATH]
    assert len(asked) == requests


async def test_a_reload_does_not_forget_the_rate_limit() -> None:
    # One of two requests per window is the exporter's.
    harness = Harness(5, rate_limit=SimulatedRateLimit(2, 600))
    changed = configuration("policy: {max_age: 1d}", names=("acme",), environ=harness.environ)
    async with harness.exporter.running():
        await harness.clock.sleep(1)
        await harness.exporter.reload(changed)
        await harness.clock.sleep(10)
        assert len(harness.simulator.requests) == 1
        await harness.clock.sleep(900)
        assert len(harness.simulator.requests) > 1


async def test_a_rejected_reload_leaves_no_series_of_its_organizations() -> None:
    harness = Harness(5)

    def transport(organization: Organization) -> httpx.AsyncBaseTransport:
        if organization.name == "globex":
            raise StartUpError("the CA file is unusable")
        return harness.wire

    harness.exporter = Exporter(harness.config, clock=harness.clock, transport=transport)
    both = configuration(names=("acme", "initech", "globex"), environ=harness.environ)
    async with harness.exporter.running():
        with pytest.raises(StartUpError):
            await harness.exporter.reload(both)
        assert "globex" not in harness.exposition()
        assert "initech" not in harness.exposition()
        await harness.clock.sleep(301)
        assert len(harness.simulator.requests) == 2


async def test_a_reload_frees_what_it_replaces_without_the_garbage_collector() -> None:
    harness = Harness(5)
    async with harness.exporter.running():
        await harness.clock.sleep(1)
        gc.collect()
        gc.disable()
        try:
            replaced = [weakref.ref(host) for _, host in harness.exporter.hosts()]
            await harness.exporter.reload(configuration("page_size: 2"))
            await harness.clock.sleep(1)
            assert [each() for each in replaced] == [None]
        finally:
            gc.enable()
