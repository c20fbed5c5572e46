"""What ``check`` prints about an organization."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from exporter.cli.describing import describe
from exporter.config import PoolCredentials, TokenFile
from exporter.config.secrets import FromFile
from exporter.confluent.credentials import TokenStatus
from tests.harness import Harness
from tests.virtual_time import EPOCH

KEYLESS = PoolCredentials("pool-1", TokenFile(FromFile(Path("token"))))
OF_THE_POOL = "  pool:        pool-1, token valid until 2026-09-21 14:28:20 UTC"


def described(harness: Harness, *, expires: float | None = EPOCH + 900) -> list[str]:
    """Return what ``check`` prints if the organization uses an identity pool."""
    (organization,) = harness.config.organizations
    state = replace(harness.state, token=TokenStatus("pool-1", expires))
    return list(
        describe(
            organization.model_copy(update={"credentials": KEYLESS}),
            state,
            harness.exporter.summaries(state),
        )
    )


async def test_filters_that_match_no_key_are_explained() -> None:
    harness = Harness(5).configured("    filters: {owners: [sa-nobody]}\n")
    await harness.exporter.refresh_once()
    line, *_ = describe(
        harness.config.organizations[0], harness.state, harness.exporter.summaries(harness.state)
    )
    assert line == (
        "acme: ok: 0 keys of 0 owners (none) for 0 resources; own key not seen. No key matches the"
        " filters. Ids look like sa-…, u-…, lkc-… or cloud"
    )


async def test_an_identity_pool_is_shown_with_the_expiry_of_its_token() -> None:
    harness = Harness(60)
    await harness.exporter.refresh_once()
    seen, pool, *tables = described(harness)
    assert seen.startswith("acme: ok: 60 keys of ")
    assert seen.endswith(" resources"), "a pool owns no key, and the role may well be enough"
    assert pool == OF_THE_POOL
    assert tables[0].startswith("  findings:    ")


async def test_an_identity_pool_that_sees_no_key_may_lack_the_role() -> None:
    harness = Harness(0)
    await harness.exporter.refresh_once()
    assert described(harness)[0] == (
        "acme: ok: 0 keys of 0 owners (none) for 0 resources. The role may hide keys. Only"
        " OrganizationAdmin on the whole organization is known to see every key"
    )


async def test_filters_that_match_no_key_are_explained_for_an_identity_pool_too() -> None:
    harness = Harness(5).configured("    filters: {owners: [sa-nobody]}\n")
    await harness.exporter.refresh_once()
    assert described(harness)[0] == (
        "acme: ok: 0 keys of 0 owners (none) for 0 resources. No key matches the filters. Ids look"
        " like sa-…, u-…, lkc-… or cloud"
    )


async def test_a_failure_shows_which_identity_pool_it_concerns_and_whether_it_got_a_token() -> None:
    harness = Harness(5)
    harness.simulator.script(1, "403")
    await harness.exporter.refresh_once()
    failed, pool = described(harness)
    assert failed.startswith("acme: failed (forbidden): GET /iam/v2/api-keys: 403 Forbidden")
    assert pool == OF_THE_POOL
    assert described(harness, expires=None)[1:] == ["  pool:        pool-1, no token"]
