"""Counts the keys that violate each policy, and the exempt ones among them.

The part that does not depend on the current time is computed once (:class:`PolicyInputs`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from exporter.inventory.ages import Timeline, dates_of, sorted_by_creation
from exporter.inventory.overrides import keys_by_rules
from exporter.inventory.policy import (
    evaluated_kinds,
    evaluated_policies,
    keys_with_owner,
    timed_violations,
    timeless_violations,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from exporter.inventory.ages import Dates, Histogram
    from exporter.inventory.directory import Directory
    from exporter.inventory.keys import Key, Owner
    from exporter.inventory.rules import Rules
    from exporter.inventory.usage import Usage


class Finding(NamedTuple):
    """One key that violates one policy."""

    policy: str
    key: Key
    exempted: bool


class ViolatingKeys(NamedTuple):
    """The keys that violate one policy: either all exempt ones or all others."""

    policy: str
    keys: Sequence[Key]
    exempted: bool


@dataclass(frozen=True)
class FindingCounts:
    """Numbers of findings."""

    by_owner: Mapping[tuple[str, Owner], int]
    """By policy and owner, without exempt keys."""
    exempted: Mapping[str, int]
    """Exempt keys that would otherwise violate it, by policy."""


@dataclass(frozen=True)
class Findings(FindingCounts):
    """The findings of one inventory."""

    active: tuple[str, ...]
    """The enabled policies."""
    evaluated: tuple[str, ...]
    """The enabled policies that could be evaluated."""
    evaluated_kinds: tuple[str, ...]
    """The kinds of owners that ``unknown_owner`` was evaluated for."""


class DatesWithRules(NamedTuple):
    """The dates of the keys that the same rules apply to: of all exempt ones, or all others."""

    rules: Rules
    dates: Dates
    exempted: bool


@dataclass(frozen=True, eq=False)
class PolicyInputs:
    """The input of the policies, independent of the current time."""

    rules: Rules
    """Those of the organization, with their overrides."""
    kinds: tuple[str, ...]
    """The kinds of owners that ``unknown_owner`` can be evaluated for."""
    usage: Usage
    """What is known about the activity of owners."""
    dates: Sequence[DatesWithRules]
    """Of the keys that have an owner."""
    timeless: Sequence[ViolatingKeys]
    """Findings of the policies that do not depend on the current time."""
    timeless_counts: FindingCounts
    """The numbers of ``timeless``."""


def policy_inputs_of(
    keys: Sequence[Key],
    dates: Dates,
    rules: Rules,
    *,
    directory: Directory,
    usage: Usage,
    now: float,
) -> PolicyInputs:
    """Return the policy inputs of ``keys``, which are :func:`sorted_by_creation`."""
    owned_keys = keys_with_owner(keys)
    groups = keys_by_rules(owned_keys, rules)
    exempt: set[str] = set()
    if rules.has_exempt:
        exempt = {key.id for key in owned_keys if rules.exempts(key)}
    if exempt or len(groups) > 1:
        dated = [
            DatesWithRules(
                of_group,
                dates_of((key for key in group if (key.id in exempt) is exempted), now=now),
                exempted,
            )
            for of_group, group in groups
            for exempted in ((False, True) if exempt else (False,))
        ]
    else:
        dated = [DatesWithRules(groups[0].rules, dates.without("internal"), exempted=False)]
    owners = {key.owner for key in owned_keys}
    kinds = evaluated_kinds(owners, directory)
    timeless = tuple(
        each
        for policy, found in timeless_violations(
            owned_keys, groups, owners=owners, directory=directory, kinds=kinds, usage=usage
        )
        for each in _by_exemption(policy, found, exempt)
    )
    return PolicyInputs(
        rules,
        kinds=kinds,
        usage=usage,
        dates=dated,
        timeless=timeless,
        timeless_counts=_counted(timeless),
    )


def findings_at(policy_inputs: PolicyInputs, *, now: float) -> Findings:
    """Return the findings at the Unix time ``now``."""
    rules, timeless = policy_inputs.rules, policy_inputs.timeless_counts
    timed = _counted(_timed(policy_inputs, now=now))
    return Findings(
        by_owner={**timed.by_owner, **timeless.by_owner},
        exempted={**timed.exempted, **timeless.exempted},
        active=rules.active(),
        evaluated=evaluated_policies(rules, policy_inputs.kinds, policy_inputs.usage),
        evaluated_kinds=policy_inputs.kinds,
    )


def violating_keys_at(policy_inputs: PolicyInputs, *, now: float) -> Sequence[ViolatingKeys]:
    """Return the keys that :func:`findings_at` counts, by policy."""
    return *_timed(policy_inputs, now=now), *policy_inputs.timeless


def _timed(policy_inputs: PolicyInputs, *, now: float) -> Iterator[ViolatingKeys]:
    found: dict[tuple[str, bool], Sequence[Key]] = {}
    for rules, dates, exempted in policy_inputs.dates:
        for policy, keys in timed_violations(dates, rules, now=now):
            before = found.get((policy, exempted))
            found[policy, exempted] = [*before, *keys] if before else keys
    for (policy, exempted), keys in found.items():
        yield ViolatingKeys(policy, keys, exempted)


def _by_exemption(
    policy: str, keys: Sequence[Key], exempt: Collection[str]
) -> Iterator[ViolatingKeys]:
    if not exempt:
        yield ViolatingKeys(policy, tuple(keys), exempted=False)
        return
    yield ViolatingKeys(policy, tuple(key for key in keys if key.id not in exempt), exempted=False)
    yield ViolatingKeys(policy, tuple(key for key in keys if key.id in exempt), exempted=True)


def remaining_at(policy_inputs: PolicyInputs, *, now: float) -> Mapping[str, Histogram]:
    """Return the seconds until the keys exceed ``max_age``, by kind of owner.

    0 for keys that already have; empty if the policy is off. Excludes exempt keys and keys without
    an owner, so that the first bucket counts the findings.
    """
    found: dict[str, Histogram] = {}
    for rules, dates, exempted in policy_inputs.dates:
        if rules.max_age is None:
            continue
        for kind, timeline in dates.created.items():
            evaluated_keys = Timeline((), ()) if exempted else timeline
            histogram = evaluated_keys.remaining(rules.max_age, now=now)
            found[kind] = found[kind].plus(histogram) if kind in found else histogram
    return found


def _counted(violations: Iterable[ViolatingKeys]) -> FindingCounts:
    by_owner: dict[tuple[str, Owner], int] = {}
    exempted: dict[str, int] = {}
    for policy, keys, is_exempted in violations:
        if not is_exempted:
            owners = Counter(key.owner for key in keys)
            by_owner |= {(policy, owner): count for owner, count in owners.items()}
        elif keys:
            exempted[policy] = len(keys)
    return FindingCounts(by_owner, exempted)


def findings_of(
    keys: Collection[Key], rules: Rules, *, directory: Directory, usage: Usage, now: float
) -> Iterator[Finding]:
    """Yield every finding among ``keys`` at the Unix time ``now``, grouped by policy."""
    ordered = sorted_by_creation(keys, now=now)
    dates = dates_of(ordered, now=now)
    policy_inputs = policy_inputs_of(
        ordered, dates, rules, directory=directory, usage=usage, now=now
    )
    for policy, violating, exempted in violating_keys_at(policy_inputs, now=now):
        for key in violating:
            yield Finding(policy, key, exempted)
