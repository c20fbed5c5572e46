"""The findings: which keys break which policy, counted, and what of it an exemption silences.

What does not depend on the time is found once (:class:`Basis`); what does is read from there.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from exporter.inventory.ages import Dates, Timeline, dates_of, in_order
from exporter.inventory.policy import broken_always, broken_now, judged, judged_kinds, owned

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from exporter.inventory.ages import Histogram
    from exporter.inventory.directory import Directory
    from exporter.inventory.keys import Key, Owner
    from exporter.inventory.policy import Broken, Rules


class Finding(NamedTuple):
    """One key that breaks one policy."""

    policy: str
    key: Key
    exempted: bool


@dataclass(frozen=True)
class FindingCounts:
    """Findings, counted."""

    by_owner: Mapping[tuple[str, Owner], int]
    """By policy and owner, without the exempted ones."""
    exempted: Mapping[str, int]
    """By policy."""


@dataclass(frozen=True)
class Findings(FindingCounts):
    """The findings of one inventory."""

    active: tuple[str, ...]
    """The policies that are on."""
    judged: tuple[str, ...]
    """Those of them that could be judged."""
    judged_kinds: tuple[str, ...]
    """The kinds of owners for which ``unknown_owner`` was."""


@dataclass(frozen=True, eq=False)
class Basis:
    """What the findings rest on, at any moment."""

    rules: Rules
    kinds: tuple[str, ...]
    """As :func:`judged_kinds`."""
    dates: Dates
    """Of the keys that the policies are for."""
    exempted: Dates
    """Of those that the policies would be for, were they not exempted."""
    timeless: FindingCounts
    """Of the policies that do not depend on the time."""


def basis_of(
    keys: Sequence[Key], dates: Dates, rules: Rules, *, directory: Directory, now: float
) -> Basis:
    """Return the basis that ``keys`` are, in the order of :func:`in_order`, with their dates."""
    theirs = owned(keys)
    judged_dates, exempted_dates = dates.without("internal"), Dates({}, ())
    exempt: set[str] = set()
    if rules.has_exempt:
        exempt = {key.id for key in theirs if rules.exempts(key)}
        judged_dates = dates_of((key for key in theirs if key.id not in exempt), now=now)
        exempted_dates = dates_of((key for key in theirs if key.id in exempt), now=now)
    kinds = judged_kinds({key.owner for key in theirs}, directory)
    broken = broken_always(theirs, rules, directory=directory, kinds=kinds)
    return Basis(
        rules,
        kinds=kinds,
        dates=judged_dates,
        exempted=exempted_dates,
        timeless=_counted(broken, exempt),
    )


def findings_at(basis: Basis, *, now: float) -> Findings:
    """Return the findings at the Unix time ``now``."""
    rules, timeless = basis.rules, basis.timeless
    timed = _counted(broken_now(basis.dates, rules, now=now))
    exempted = {
        policy: len(keys) for policy, keys in broken_now(basis.exempted, rules, now=now) if keys
    }
    return Findings(
        by_owner={**timed.by_owner, **timeless.by_owner},
        exempted={**exempted, **timeless.exempted},
        active=rules.active(),
        judged=judged(rules, basis.kinds),
        judged_kinds=basis.kinds,
    )


def remaining_at(basis: Basis, *, now: float) -> Mapping[str, Histogram]:
    """Return how long the keys have left at the Unix time ``now`` until they break ``max_age``.

    By kind of owner, 0 for those that do; empty if the policy is off. Keys that the policy does not
    judge, or that are exempted, are left out, so that the first bucket holds its findings.
    """
    max_age = basis.rules.max_age
    if max_age is None:
        return {}
    none_left = dict.fromkeys(basis.exempted.created, Timeline((), ()))
    return {
        kind: timeline.remaining(max_age, now=now)
        for kind, timeline in (none_left | {**basis.dates.created}).items()
    }


def _counted(broken: Broken, exempt: Collection[str] = frozenset()) -> FindingCounts:
    by_owner: dict[tuple[str, Owner], int] = {}
    exempted: dict[str, int] = {}
    for policy, keys in broken:
        kept = [key for key in keys if key.id not in exempt] if exempt else keys
        owners = Counter(key.owner for key in kept)
        by_owner |= {(policy, owner): count for owner, count in owners.items()}
        if len(kept) < len(keys):
            exempted[policy] = len(keys) - len(kept)
    return FindingCounts(by_owner, exempted)


def findings_of(
    keys: Collection[Key], rules: Rules, *, directory: Directory, now: float
) -> Iterator[Finding]:
    """Yield every finding among ``keys`` at the Unix time ``now``, policy by policy."""
    theirs = owned(in_order(keys, now=now))
    kinds = judged_kinds({key.owner for key in theirs}, directory)
    for policy, broken in chain(
        broken_now(dates_of(theirs, now=now), rules, now=now),
        broken_always(theirs, rules, directory=directory, kinds=kinds),
    ):
        for key in broken:
            yield Finding(policy, key, rules.exempts(key))
