"""Which rules apply to which keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.inventory.keys import Key, Resource
    from exporter.inventory.rules import Rules


class KeysWithRules(NamedTuple):
    """The keys that the same rules apply to, in the order of all keys."""

    rules: Rules
    keys: Sequence[Key]


def keys_by_rules(keys: Sequence[Key], rules: Rules) -> Sequence[KeysWithRules]:
    """Return ``keys`` grouped by the rules that apply to them: one group without overrides.

    The groups are not empty, except for a single one.
    """
    if not rules.overrides:
        return [KeysWithRules(rules, keys)]
    choices = [*(override.rules for override in rules.overrides), rules]
    groups: list[list[Key]] = [[] for _ in choices]
    chosen: dict[tuple[str, Sequence[Resource]], list[Key]] = {}
    for key in keys:
        pair = key.owner.id, key.resources
        group = chosen.get(pair)
        if group is None:
            group = chosen[pair] = groups[override_of(key, rules)]
        group.append(key)
    found = [KeysWithRules(*each) for each in zip(choices, groups, strict=True) if each[1]]
    return found or [KeysWithRules(rules, keys)]


def override_of(key: Key, rules: Rules) -> int:
    """Return the position of the override that applies to ``key``, or the number of overrides."""
    matching = (position for position, each in enumerate(rules.overrides) if each.matches(key))
    return next(matching, len(rules.overrides))
