"""Counts the keys that violate each policy, and the exempt ones among them.

The part that does not depend on the current time is computed once (:class:`PolicyInputs`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from exporter.inventory.ages import Dates, Timeline, dates_of, sorted_by_creation
from exporter.inventory.policy import (
    judged,
    judged_kinds,
    keys_with_owner,
    timed_violations,
    timeless_violations,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from exporter.inventory.ages import Histogram
    from exporter.inventory.directory import Directory
    from exporter.inventory.keys import Key, Owner
    from exporter.inventory.policy import Rules, Violations


class Finding(NamedTuple):
    """One key that violates one policy."""

    policy: str
    key: Key
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
    judged: tuple[str, ...]
    """The enabled policies that could be evaluated."""
    judged_kinds: tuple[str, ...]
    """The kinds of owners that ``unknown_owner`` was evaluated for."""


@dataclass(frozen=True, eq=False)
class PolicyInputs:
    """The input of the policies, independent of the current time."""

    rules: Rules
    kinds: tuple[str, ...]
    """The kinds of owners that ``unknown_owner`` can be evaluated for."""
    dates: Dates
    """Of the keys that have an owner and are not exempt."""
    exempted: Dates
    """Of the exempt keys."""
    timeless: FindingCounts
    """Findings of the policies that do not depend on the current time."""


def policy_inputs_of(
    keys: Sequence[Key], dates: Dates, rules: Rules, *, directory: Directory, now: float
) -> PolicyInputs:
    """Return the policy inputs of ``keys``, which are :func:`sorted_by_creation`."""
    owned_keys = keys_with_owner(keys)
    judged_dates, exempted_dates = dates.without("internal"), Dates({}, ())
    exempt: set[str] = set()
    if rules.has_exempt:
        exempt = {key.id for key in owned_keys if rules.exempts(key)}
        judged_dates = dates_of((key for key in owned_keys if key.id not in exempt), now=now)
        exempted_dates = dates_of((key for key in owned_keys if key.id in exempt), now=now)
    kinds = judged_kinds({key.owner for key in owned_keys}, directory)
    violations = timeless_violations(owned_keys, rules, directory=directory, kinds=kinds)
    return PolicyInputs(
        rules,
        kinds=kinds,
        dates=judged_dates,
        exempted=exempted_dates,
        timeless=_counted(violations, exempt),
    )


def findings_at(policy_inputs: PolicyInputs, *, now: float) -> Findings:
    """Return the findings at the Unix time ``now``."""
    rules, timeless = policy_inputs.rules, policy_inputs.timeless
    timed = _counted(timed_violations(policy_inputs.dates, rules, now=now))
    exempted = {
        policy: len(keys)
        for policy, keys in timed_violations(policy_inputs.exempted, rules, now=now)
        if keys
    }
    return Findings(
        by_owner={**timed.by_owner, **timeless.by_owner},
        exempted={**exempted, **timeless.exempted},
        active=rules.active(),
        judged=judged(rules, policy_inputs.kinds),
        judged_kinds=policy_inputs.kinds,
    )


def remaining_at(policy_inputs: PolicyInputs, *, now: float) -> Mapping[str, Histogram]:
    """Return the seconds until the keys exceed ``max_age``, by kind of owner.

    0 for keys that already have; empty if the policy is off. Excludes exempt keys and keys without
    an owner, so that the first bucket counts the findings.
    """
    max_age = policy_inputs.rules.max_age
    if max_age is None:
        return {}
    none_left = dict.fromkeys(policy_inputs.exempted.created, Timeline((), ()))
    return {
        kind: timeline.remaining(max_age, now=now)
        for kind, timeline in (none_left | {**policy_inputs.dates.created}).items()
    }


def _counted(violations: Violations, exempt: Collection[str] = frozenset()) -> FindingCounts:
    by_owner: dict[tuple[str, Owner], int] = {}
    exempted: dict[str, int] = {}
    for policy, keys in violations:
        counted = [key for key in keys if key.id not in exempt] if exempt else keys
        owners = Counter(key.owner for key in counted)
        by_owner |= {(policy, owner): count for owner, count in owners.items()}
        if len(counted) < len(keys):
            exempted[policy] = len(keys) - len(counted)
    return FindingCounts(by_owner, exempted)


def findings_of(
    keys: Collection[Key], rules: Rules, *, directory: Directory, now: float
) -> Iterator[Finding]:
    """Yield every finding among ``keys`` at the Unix time ``now``, grouped by policy."""
    owned_keys = keys_with_owner(sorted_by_creation(keys, now=now))
    kinds = judged_kinds({key.owner for key in owned_keys}, directory)
    for policy, violations in chain(
        timed_violations(dates_of(owned_keys, now=now), rules, now=now),
        timeless_violations(owned_keys, rules, directory=directory, kinds=kinds),
    ):
        for key in violations:
            yield Finding(policy, key, rules.exempts(key))
