"""What ``check`` prints about teams and overrides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.cli.matching import unmatched_teams
from tests.harness import Harness
from tests.small_organization import small_world

if TYPE_CHECKING:
    from pathlib import Path

PATTERNS = """
    policy:
      overrides:
        - {owners: [sa-1], max_age: 7d}
        - {owners: [sa-1], resources: [lkc-1], max_age: 9d}
        - {resources: [lkc-404]}
        - {owners: ["sa-*"]}
teams:
  - {name: payments, resources: [lsrc-1]}
  - {name: orders, owners: ["sa-[12]"]}
  - {name: nobody, owners: [sa-404]}
"""


async def test_overrides_without_a_key_and_owners_of_several_teams_are_named(
    tmp_path: Path,
) -> None:
    (tmp_path / "teams.yaml").write_text("[{name: orders, owners: [sa-1]}]")
    harness = small_world().configured(f"{PATTERNS}teams_file: {tmp_path}/teams.yaml\n")
    await harness.exporter.refresh_once()
    # The first override applies to all keys of the second. sa-1 matches one team, by two entries.
    assert harness.described().splitlines()[-2:] == [
        "  overrides:   apply to no key: policy.overrides[1], policy.overrides[2]",
        "  teams:       the first wins where several match: sa-2 (payments, orders)",
    ]
    assert unmatched_teams(harness.exporter.states()) == "teams: no owner matches nobody"


async def test_without_such_patterns_nothing_is_printed() -> None:
    harness = small_world()
    await harness.exporter.refresh_once()
    assert "overrides:" not in harness.described()
    assert "teams:" not in harness.described()
    assert unmatched_teams(harness.exporter.states()) == ""


async def test_no_team_is_called_unmatched_while_owners_are_unknown() -> None:
    harness = Harness(0).configured("teams: [{name: nobody, owners: [sa-404]}]\n")
    assert unmatched_teams(harness.exporter.states()) == ""
    await harness.exporter.refresh_once()
    assert unmatched_teams(harness.exporter.states()) == "teams: no owner matches nobody"
    harness.accounts[0].role = "none"
    await harness.exporter.refresh_once()
    assert unmatched_teams(harness.exporter.states()) == ""


async def test_at_most_five_owners_are_named() -> None:
    teams = "teams: [{name: a, owners: ['*']}, {name: b, owners: ['*']}]\n"
    harness = Harness(100).configured(teams)
    await harness.exporter.refresh_once()
    owners = {key.owner.id for key in harness.organization.keys.values() if key.owner}
    *_, line = harness.described().splitlines()
    assert line.count("(a, b)") == 5
    assert line.endswith(f" and {len(owners) - 5} more")
