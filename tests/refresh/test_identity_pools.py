"""The exporter with identity pools: the same truth, although tokens expire at any time."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exporter.confluent.credentials import TokenStatus
from exporter.simulator import (
    IDENTITY_PROVIDER_PATH,
    STS_PATH,
    Lifecycle,
    SimulatedRateLimit,
    parse_fault,
)
from tests.harness import API_KEYS, Harness
from tests.pools import CLIENT_SECRET, PoolHarness, Subject

if TYPE_CHECKING:
    from pathlib import Path

TOTAL = "confluent_cloud_organization_api_keys"
NAMES = "names: {enabled: true, refresh_interval: 2m}"
SUBJECTS = pytest.mark.parametrize("subject", ["file", "client"])


def inventory(harness: Harness) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return the series that do not tell how they were fetched."""
    return {
        key: value
        for key, value in harness.series().items()
        if not re.search("exporter_|_api_re|_api_rate|_api_throttled|_api_error|_up", key[0])
    }


@SUBJECTS
async def test_a_pool_sees_what_an_api_key_sees(tmp_path: Path, subject: Subject) -> None:
    pool, key = PoolHarness(tmp_path, subject=subject, settings=NAMES), Harness(settings=NAMES)
    await key.exporter.refresh_once()
    await pool.exporter.refresh_once()
    assert pool.value(TOTAL) == 25
    assert inventory(pool) == inventory(key)
    assert pool.state.token is not None
    assert pool.state.token.identity_pool == "pool-0"
    assert key.state.token is None


async def test_all_collectors_share_one_exchange(tmp_path: Path) -> None:
    settings = f"{NAMES}, quotas: {{enabled: true}}"
    harness = PoolHarness(tmp_path, subject="client", settings=settings)
    await harness.exporter.refresh_once()
    assert {each.up for each in harness.state.refreshes.values()} == {True}
    assert (harness.exchanges, harness.logins) == (1, 1)
    sent = harness.simulator.received
    assert harness.value("confluent_cloud_api_requests_total", endpoint=STS_PATH, code="200") == 1
    assert (
        harness.value("confluent_cloud_api_requests_total", endpoint="token_url", code="200") == 1
    )
    requests = harness.values("confluent_cloud_api_requests_total", "endpoint")
    assert sum(requests.values()) == sent


@SUBJECTS
async def test_the_counters_of_token_requests_exist_before_the_first_one(
    tmp_path: Path, subject: Subject
) -> None:
    harness = PoolHarness(tmp_path, subject=subject)
    endpoints = {STS_PATH, "token_url"} if subject == "client" else {STS_PATH}
    zeros = {
        dict(labels)["endpoint"]
        for (name, labels), value in harness.series().items()
        if name == "confluent_cloud_api_request_failures_total" and value == 0
    }
    assert zeros == {API_KEYS, *endpoints}


@SUBJECTS
async def test_an_hour_with_tokens_of_a_minute(tmp_path: Path, subject: Subject) -> None:
    harness = PoolHarness(
        tmp_path,
        subject=subject,
        lifetime=60,
        keys=30,
        names=("acme", "globex"),
        settings=f"refresh_interval: 40s, page_size: 10, {NAMES}, quotas: {{enabled: true}}",
    )
    harness.provider.lifetime = 60
    lifecycles = [Lifecycle(each, seed=1, speed=1200) for each in harness.organizations.values()]
    wrong, totals = [], set()
    async with harness.exporter.running():
        for _ in range(360):
            await harness.clock.sleep(10)
            if subject == "file":
                harness.write_token(lifetime=15)
            for lifecycle in lifecycles:
                if harness.clock.monotonic() % 40 == 20:  # between two refreshes
                    lifecycle.advance(harness.clock.monotonic(), wall=harness.clock.wall())
                    await harness.clock.sleep(0)
            if harness.clock.monotonic() % 40 == 10:
                truth = {name: str(len(each.keys)) for name, each in harness.organizations.items()}
                lines = rf'^{TOTAL}{{organization="(.*)"}} (\d+)'
                shown = dict(re.findall(lines, harness.exposition(), re.MULTILINE))
                totals.add(shown["acme"])
                if shown != truth:
                    wrong.append((harness.clock.monotonic(), shown, truth))
    assert wrong == []
    assert len(totals) > 5, "keys come and go"
    assert {request.status for request in harness.simulator.requests} == {200}
    # A token serves for half of its minute, and every refresh of the keys needs one: at most one
    # exchange for each refresh of the keys and of the names (every 2 min) and quotas (15 min).
    series = harness.series()
    for each in ("acme", "globex"):
        exchanges = sum(
            value
            for (name, labels), value in series.items()
            if name == "confluent_cloud_api_requests_total"
            and {("organization", each), ("endpoint", STS_PATH)} <= labels
        )
        assert 90 <= exchanges <= 90 + 30 + 4
        failures = [
            value
            for (name, labels), value in series.items()
            if name == "confluent_cloud_exporter_refresh_failures_total"
            and ("organization", each) in labels
        ]
        assert sum(failures) == 0


async def test_a_token_that_expires_during_a_listing_is_replaced(tmp_path: Path) -> None:
    harness = PoolHarness(
        tmp_path,
        lifetime=60,
        keys=100,
        settings="page_size: 10",
        faults=[parse_fault(f"slow:9s@{API_KEYS}")],
    )
    await harness.exporter.refresh_once()  # ten pages of nine seconds
    assert harness.value(TOTAL) == 100
    assert harness.statuses() == [200] * 10
    paths = [request.path for request in harness.simulator.requests]
    # The requests begin at 0, 9, 18, 27 and 36 s, and a token is replaced after 30 s.
    assert paths == [
        STS_PATH,
        *[API_KEYS] * 4,
        STS_PATH,
        *[API_KEYS] * 4,
        STS_PATH,
        *[API_KEYS] * 2,
    ]


async def test_a_token_that_is_revoked_during_a_listing_is_replaced(tmp_path: Path) -> None:
    harness = PoolHarness(tmp_path, keys=100, settings="page_size: 10")
    harness.simulator.script(4, "revoked", path=API_KEYS)
    await harness.exporter.refresh_once()
    assert harness.value(TOTAL) == 100
    assert harness.statuses() == [200, 200, 200, 401, *[200] * 7]
    assert harness.exchanges == 2


async def test_an_api_that_refuses_now_and_then_costs_few_tokens_in_a_refresh(
    tmp_path: Path,
) -> None:
    harness = PoolHarness(tmp_path, keys=100, settings="page_size: 10")
    for number in range(2, 20, 2):
        harness.simulator.script(number, "401", path=API_KEYS)
    await harness.exporter.refresh_once()
    failure = harness.state.prioritized.failure
    assert failure is not None
    assert failure.reason == "unauthorized"
    assert harness.statuses() == [200, 401, 200, 401, 200, 401, 200, 401]
    assert harness.exchanges == 4


async def test_a_slow_identity_provider_stalls_no_other_organization(tmp_path: Path) -> None:
    harness = PoolHarness(
        tmp_path,
        subject="client",
        names=("acme", "globex"),
        faults=[parse_fault(f"slow:9s@{IDENTITY_PROVIDER_PATH}")],
    )
    harness.simulator.script(1, "slow:1h", path=IDENTITY_PROVIDER_PATH)
    async with harness.exporter.running():
        await harness.clock.sleep(9.5)
        first, second = harness.exporter.states()
        assert not first.attempted
        assert second.prioritized.up
        assert harness.value(TOTAL, organization="globex") == 25
        await harness.clock.sleep(30)  # after its timeout of 10 s, the first tries again
        assert harness.exporter.states()[0].prioritized.up


@pytest.mark.parametrize("jump", [-86_400, 86_400])
async def test_a_jump_of_the_clock_costs_no_refresh(tmp_path: Path, jump: float) -> None:
    harness = PoolHarness(tmp_path, subject="client")
    await harness.exporter.refresh_once()
    harness.clock.jump(jump)
    for _ in range(12):
        await harness.clock.sleep(300)
        await harness.exporter.refresh_once()
    assert harness.statuses() == [200] * 13
    # One each quarter of an hour. Forward, the STS refuses the provider's token once: its hour has
    # passed by the wall clock.
    assert harness.exchanges == (5 if jump < 0 else 6)
    assert harness.logins == 2


async def test_a_pool_that_does_not_match_is_named_until_it_does(tmp_path: Path) -> None:
    settings = f"refresh_interval: 1m, {NAMES}"
    harness = PoolHarness(tmp_path, settings=settings)
    harness.pools[0].subject = "somebody else"
    async with harness.exporter.running():
        await harness.clock.sleep(1)
        failure = harness.state.prioritized.failure
        assert failure is not None
        assert failure.reason == "token_refused"
        assert "The API says: " in failure.message
        assert "The subject of the token does not match pool-0" in failure.message
        assert "sub `system:serviceaccount:monitoring:exporter`" in failure.message
        assert failure.request_id == harness.simulator.requests[-1].request_id
        assert harness.state.refreshes["names"].failure is not None
        assert harness.exchanges == 1, "the names do not try what the keys were refused"
        await harness.clock.sleep(50)
        assert harness.exchanges == 1, "only a person can change that: once per interval"
        harness.pools[0].subject = None
        await harness.clock.sleep(60)
        assert {each.up for each in harness.state.refreshes.values()} == {True}


async def test_an_identity_provider_that_fails_is_asked_again_soon(tmp_path: Path) -> None:
    fault = parse_fault(f"500@{IDENTITY_PROVIDER_PATH}")
    harness = PoolHarness(tmp_path, subject="client", faults=[fault])
    async with harness.exporter.running():
        await harness.clock.sleep(25)
        failure = harness.state.prioritized.failure
        assert failure is not None
        assert failure.reason == "identity_provider"
        assert (harness.logins, harness.exchanges, harness.count(API_KEYS)) == (5, 0, 0)
        harness.simulator.faults.clear()
        await harness.clock.sleep(60)
        assert harness.value(TOTAL) == 25
        failures = harness.values("confluent_cloud_exporter_refresh_failures_total", "reason")
        assert failures == {"identity_provider": 1}


async def test_a_rotated_secret_and_a_replaced_file_need_no_restart(tmp_path: Path) -> None:
    harness = PoolHarness(tmp_path, subject="client")
    await harness.exporter.refresh_once()
    harness.provider.clients["client-0"] = "the-next-secret"
    harness.write_secret("the-next-secret")
    await harness.clock.sleep(3600)
    await harness.exporter.refresh_once()
    assert harness.statuses() == [200, 200]
    assert harness.logins == 2


async def test_a_reload_keeps_tokens_that_are_still_right(tmp_path: Path) -> None:
    harness = PoolHarness(tmp_path, subject="client", settings="refresh_interval: 1m")
    async with harness.exporter.running():
        await harness.clock.sleep(1)
        exporter = harness.exporter
        for more in ("    page_size: 50\n", "    filters: {resources: [cloud]}\n"):
            await exporter.reload(harness.configured(more).config)
            await harness.clock.sleep(61)
        assert harness.count(API_KEYS) >= 3
        assert (harness.exchanges, harness.logins) == (1, 1)
        harness.write_secret(CLIENT_SECRET)
        (tmp_path / "other").write_text(CLIENT_SECRET)
        changed = harness.config.organizations[0].model_copy(
            update={"credentials": PoolHarness(tmp_path).config.organizations[0].credentials}
        )
        await exporter.reload(replace(harness.config, organizations=(changed,)))
        await harness.clock.sleep(61)
        assert (harness.exchanges, harness.logins) == (2, 1), "a token of other credentials"
        await exporter.aclose()


@pytest.mark.parametrize("limit", [10, 20])
async def test_an_exchange_is_part_of_the_share_of_the_rate_limit(
    tmp_path: Path, limit: int
) -> None:
    harness = PoolHarness(
        tmp_path,
        lifetime=60,
        keys=100,
        settings="page_size: 10, refresh_timeout: 5m",
        rate_limit=SimulatedRateLimit(limit, 10),
    )
    window = harness.simulator.window(harness.organization)
    refused = 0

    async def others() -> None:
        nonlocal refused
        while True:
            refused += window.spend(limit // 2)
            await harness.clock.sleep(10)

    competitor = asyncio.create_task(others())
    async with harness.exporter.running():
        await harness.clock.sleep(1800)
    competitor.cancel()
    assert refused == 0
    assert set(harness.statuses()) == set(harness.statuses(STS_PATH)) == {200}
    assert harness.value(TOTAL) == 100


async def test_names_do_not_keep_the_keys_from_the_little_that_the_rate_limit_grants(
    tmp_path: Path,
) -> None:
    # One request per minute: a token of less than a minute expires before it can be used.
    limit = SimulatedRateLimit(2, 60)
    settings = "names: {enabled: true, refresh_interval: 1h}"
    harness = PoolHarness(tmp_path, lifetime=59, settings=settings, rate_limit=limit)
    async with harness.exporter.running():
        await harness.clock.sleep(3600)
    keys = harness.state.prioritized
    assert keys.refreshes >= 6
    assert keys.failure is not None
    assert keys.failure.reason == "rate_limited"
    assert harness.exchanges <= 61


async def test_the_end_of_the_token_is_exposed_throughout_a_reload(tmp_path: Path) -> None:
    expiry = "confluent_cloud_exporter_token_expiry_timestamp_seconds"
    harness = PoolHarness(tmp_path)
    async with harness.exporter.running():
        await harness.clock.sleep(1)
        exporter, before = harness.exporter, harness.value(expiry)
        assert before is not None
        harness.simulator.faults.append(parse_fault("slow:9s"))
        await exporter.reload(harness.configured("    page_size: 50\n").config)
        harness.exporter = exporter
        assert harness.value(expiry) == before
        await exporter.aclose()


async def test_a_reload_does_not_forget_that_an_identity_provider_asked_to_wait(
    tmp_path: Path,
) -> None:
    fault = parse_fault(f"429:30m@{IDENTITY_PROVIDER_PATH}")
    harness = PoolHarness(tmp_path, subject="client", faults=[fault])
    async with harness.exporter.running():
        await harness.clock.sleep(1)
        exporter = harness.exporter
        for size in (10, 20, 30):
            await exporter.reload(harness.configured(f"    page_size: {size}\n").config)
            await harness.clock.sleep(60)
        assert harness.logins == 1
        await exporter.aclose()


@pytest.mark.parametrize("fault", ["redirect", "truncated", "html502"])
async def test_a_refresh_without_a_token_asks_the_sts_only_for_one(
    tmp_path: Path, fault: str
) -> None:
    settings = f"{NAMES}, quotas: {{enabled: true}}"
    harness = PoolHarness(tmp_path, settings=settings)
    await harness.exporter.refresh_once()
    harness.simulator.faults.append(parse_fault(f"{fault}@{STS_PATH}"))
    await harness.clock.sleep(900)
    harness.simulator.reset_requests()
    await harness.exporter.refresh_once()
    assert [each.up for each in harness.state.refreshes.values()] == [False] * 3
    attempts = 5 if fault == "html502" else 1  # with four retries
    assert harness.exchanges == 3 * attempts, "one for each collector, not for each listing"


async def test_a_slow_sts_is_named_and_asked_by_one_collector(tmp_path: Path) -> None:
    settings = f"{NAMES}, quotas: {{enabled: true}}, refresh_timeout: 25s"
    fault = parse_fault(f"slow:1h@{STS_PATH}")
    harness = PoolHarness(tmp_path, settings=settings, faults=[fault])
    await harness.exporter.refresh_once()
    failures = {name: each.failure for name, each in harness.state.refreshes.items()}
    keys = failures.pop("api_keys")
    assert keys is not None
    assert keys.message == (
        f"POST {STS_PATH}: no complete answer within the `request_timeout` of 10 s; raise it if the"
        " API is slow"
    )
    assert harness.exchanges == 3  # two of ten seconds, and one that the deadline cut short
    assert {each.message for each in failures.values() if each} == {
        "not requested, because the API keys could not be listed for the same reason"
    }


async def test_a_token_that_the_api_rejected_is_not_shown_as_valid(tmp_path: Path) -> None:
    harness = PoolHarness(tmp_path)
    await harness.exporter.refresh_once()
    harness.simulator.revoke_tokens("pool-0")
    (tmp_path / "token").unlink()
    await harness.exporter.refresh_once()
    assert harness.state.token == TokenStatus("pool-0", None)
    assert harness.value("confluent_cloud_exporter_token_expiry_timestamp_seconds") is None
