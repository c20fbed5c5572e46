"""Which team is responsible for an owner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.inventory.patterns import first_match

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from exporter.inventory.keys import Owner, Resource


@dataclass(frozen=True)
class Team:
    """A team with shell-style patterns of ids."""

    name: str
    owners: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()


def owner_teams(
    pairs: Iterable[tuple[Owner, Resource]], teams: Sequence[Team]
) -> Mapping[str, str]:
    """Return the names of the teams by owner id. Owners without a team are absent.

    ``pairs``: owners and resources of all keys. An owner's team is the first one with a pattern
    that matches the owner or any of its resources.
    """
    if not teams:
        return {}
    of_owner = first_match([team.owners for team in teams])
    of_resource = first_match([team.resources for team in teams])
    found: dict[str, int] = {}
    by_resource: dict[str, int] = {}
    for owner, resource in pairs:
        if owner.kind == "internal":
            continue
        before = found.get(owner.id)
        if before is None:
            before = of_owner(owner.id)
        first = by_resource.get(resource.id)
        if first is None:
            first = by_resource[resource.id] = of_resource(resource.id)
        found[owner.id] = min(before, first)
    return {
        owner_id: teams[position].name
        for owner_id, position in found.items()
        if position < len(teams)
    }
