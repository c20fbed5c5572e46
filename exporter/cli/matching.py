"""What ``check`` prints about the patterns of teams and overrides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.collectors.api_keys import API_KEYS_STATE
from exporter.escaping import one_line
from exporter.inventory import override_of, owner_teams

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from exporter.collectors.api_keys.state import Folded
    from exporter.inventory import Team
    from exporter.refresh import OrganizationState

_MAX_SHOWN = 5
_MAX_ID = 60  # characters


def unused_overrides(folded: Folded) -> str:
    """Return which overrides apply to no key of the organization; empty if all of them do."""
    rules = folded.settings.rules
    examples = {(key.owner, key.resources): key for key in folded.inventory.keys}
    used = {override_of(key, rules) for key in examples.values() if key.owner.kind != "internal"}
    unused = [f"policy.overrides[{at}]" for at in range(len(rules.overrides)) if at not in used]
    return f"apply to no key: {_shortened(unused)}" if unused else ""


def overlapping_teams(folded: Folded) -> str:
    """Return which owners match several teams; empty if none does."""
    found: dict[str, list[str]] = {}
    for team, owner_ids in _owners(folded, folded.settings.teams):
        for owner_id in owner_ids:
            names = found.setdefault(owner_id, [])
            if team.name not in names:
                names.append(team.name)
    shown = [
        f"{one_line(owner_id, _MAX_ID)} ({_shortened(names)})"
        for owner_id, names in sorted(found.items())
        if len(names) > 1
    ]
    return f"the first wins where several match: {_shortened(shown)}" if shown else ""


def unmatched_teams(states: Sequence[OrganizationState]) -> str:
    """Return which teams match no owner of any organization; empty if all of them do.

    Empty also if an organization failed, because its owners are unknown.
    """
    folded = [each.get(API_KEYS_STATE).folded for each in states if each.prioritized.up]
    known = [each for each in folded if each is not None]
    if len(known) < len(states):
        return ""
    matched = {
        team
        for each in known
        for team, owner_ids in _owners(each, each.settings.teams)
        if owner_ids
    }
    names = [team.name for team in known[0].settings.teams if team not in matched]
    return f"teams: no owner matches {_shortened(names)}" if names else ""


def _owners(folded: Folded, teams: Iterable[Team]) -> Iterator[tuple[Team, Mapping[str, str]]]:
    """Yield each of ``teams`` with the owners that match it, whether or not others do too."""
    pairs = {(key.owner, each) for key in folded.inventory.keys for each in key.resources}
    for team in teams:
        yield team, owner_teams(pairs, [team])


def _shortened(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _MAX_SHOWN} more" if len(texts) > _MAX_SHOWN else ""
    return ", ".join(texts[:_MAX_SHOWN]) + more
