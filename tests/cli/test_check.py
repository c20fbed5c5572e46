"""What ``check`` prints about an organization."""

from __future__ import annotations

from exporter.cli.describing import describe
from tests.harness import Harness


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
