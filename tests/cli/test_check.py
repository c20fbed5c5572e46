"""What ``check`` prints about an organization."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.simulator import (
    STS_PATH,
    SimulatedKey,
    SimulatedOwner,
    SimulatedResource,
    SimulatedUsage,
    Workload,
)
from tests.harness import API_KEYS, URL, Harness
from tests.pools import PoolHarness
from tests.virtual_time import EPOCH

if TYPE_CHECKING:
    from pathlib import Path

TOKEN_OF_THE_POOL = "  pool:        pool-0, token valid until 2026-09-21 14:28:20 UTC"


async def test_filters_that_match_no_key_are_explained() -> None:
    harness = Harness(5).configured("    filters: {owners: [sa-nobody]}\n")
    await harness.exporter.refresh_once()
    assert harness.described().splitlines()[0] == (
        "acme: ok: 0 keys of 0 owners (none) for 0 resources; own key not seen. No key matches the"
        " filters. Ids look like sa-…, u-…, lkc-… or cloud"
    )


async def test_an_identity_pool_is_shown_with_the_expiry_of_its_token(tmp_path: Path) -> None:
    harness = PoolHarness(tmp_path, keys=60)
    await harness.exporter.refresh_once()
    seen, pool, *tables = harness.described().splitlines()
    assert seen.startswith("acme: ok: 60 keys of ")
    assert seen.endswith(" resources"), "a pool owns no key, and the role may well be enough"
    assert pool == TOKEN_OF_THE_POOL
    assert tables[0].startswith("  findings:    ")


async def test_an_identity_pool_that_sees_no_key_may_lack_the_role(tmp_path: Path) -> None:
    harness = PoolHarness(tmp_path, keys=0)
    await harness.exporter.refresh_once()
    assert harness.described().splitlines()[0] == (
        "acme: ok: 0 keys of 0 owners (none) for 0 resources. The role may hide keys. Only"
        " OrganizationAdmin on the whole organization is known to see every key"
    )


async def test_filters_that_match_no_key_are_explained_for_an_identity_pool_too(
    tmp_path: Path,
) -> None:
    harness = PoolHarness(tmp_path, keys=5).configured("    filters: {owners: [sa-nobody]}\n")
    await harness.exporter.refresh_once()
    assert harness.described().splitlines()[0] == (
        "acme: ok: 0 keys of 0 owners (none) for 0 resources. No key matches the filters. Ids look"
        " like sa-…, u-…, lkc-… or cloud"
    )


async def test_a_failure_shows_which_identity_pool_it_concerns_and_whether_it_got_a_token(
    tmp_path: Path,
) -> None:
    harness = PoolHarness(tmp_path, keys=5)
    harness.simulator.script(1, "refused", path=STS_PATH)
    await harness.exporter.refresh_once()
    failed, pool = harness.described().splitlines()
    assert failed.startswith(f"acme: failed (token_refused): POST {STS_PATH}: 400 Bad Request")
    assert pool == "  pool:        pool-0, no token"
    harness.simulator.script(1, "403", path=API_KEYS)
    await harness.exporter.refresh_once()
    failed, pool = harness.described().splitlines()
    assert failed.startswith(f"acme: failed (forbidden): GET {API_KEYS}: 403 Forbidden")
    assert pool == TOKEN_OF_THE_POOL


async def test_what_is_known_about_usage_is_shown() -> None:
    keys = [
        SimulatedKey(
            f"KEY{cluster}",
            SimulatedOwner("sa-1", "service-account"),
            (SimulatedResource(cluster, "kafka", environment_id="env-1"),),
            created_at=EPOCH - 30 * 86_400,
        )
        for cluster in ("lkc-busy", "lkc-silent")
    ]
    usage = f"usage: {{enabled: true, url: '{URL}'}}"
    harness = Harness(keys, settings=f"{usage}, policy: {{unused_for: 7d}}")
    harness.organization.usage = SimulatedUsage(
        [Workload("sa-1", "lkc-busy", EPOCH - 86_400, every=60)]
    )
    await harness.exporter.refresh_once()
    # The clock starts at 14:13:20. Data are three minutes late, and the hour of which the API has
    # forgotten a part is not known.
    described = harness.described()
    assert (
        "  usage:       activity known since 2026-09-14 15:00:00 UTC; 1 of 2 Kafka clusters not"
        " evaluated" in described.splitlines()
    )
    text = " ".join(described.split())
    assert "unused_for not evaluated (activity is not known for this time)" in text
    await harness.clock.sleep(3600)
    await harness.exporter.refresh_once()
    assert "unused_for 0" in " ".join(harness.described().split())


async def test_without_usage_nothing_is_shown_about_it() -> None:
    harness = Harness(5)
    await harness.exporter.refresh_once()
    assert "usage:" not in harness.described()
