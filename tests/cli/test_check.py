"""What ``check`` prints about an organization."""

from __future__ import annotations

from exporter.cli.describing import describe
from tests.world import World


async def test_filters_that_match_no_key_are_explained() -> None:
    world = World(5).configured("    filters: {owners: [sa-nobody]}\n")
    await world.exporter.refresh_once()
    line, *_ = describe(
        world.config.organizations[0], world.state, world.exporter.summaries(world.state)
    )
    assert line == (
        "acme: ok: 0 keys of 0 owners (none) for 0 resources; own key not seen. No key matches the"
        " filters. Ids look like sa-…, u-…, lkc-… or cloud"
    )
