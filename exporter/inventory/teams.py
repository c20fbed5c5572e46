"""Which team is responsible for an owner."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import translate
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from exporter.inventory.keys import Owner, Resource

_NOTHING = "(?!)"


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
    of_owner = _first_match([team.owners for team in teams])
    of_resource = _first_match([team.resources for team in teams])
    found: dict[str, float] = {}
    by_resource: dict[str, float] = {}
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
        owner_id: teams[int(position)].name
        for owner_id, position in found.items()
        if position < inf
    }


def _first_match(entries: Iterable[tuple[str, ...]]) -> Callable[[str], float]:
    """Return a function that returns the position of the first entry that matches an id.

    Infinite without one. One expression for all entries, because there may be hundreds.
    """
    groups = (f"({'|'.join(map(translate, patterns)) or _NOTHING})" for patterns in entries)
    match = re.compile("|".join(groups)).match

    def first(text: str) -> float:
        found = match(text)
        return inf if found is None or found.lastindex is None else found.lastindex - 1

    return first
