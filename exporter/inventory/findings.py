"""The findings: what the policies accuse, counted, and what of it an exemption silences.

What does not depend on the time is found once (:class:`Grounds`); what does is read from there.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from exporter.inventory.ages import Dates, Timeline, dates_of, in_order
from exporter.inventory.policy import broken_anyway, broken_by_time, judged, judged_kinds, owned

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
class Tally:
    """Findings, counted."""

    by_owner: Mapping[tuple[str, Owner], int]
    """By policy and owner, without the exempted ones."""
    exempted: Mapping[str, int]
    """By policy."""


@dataclass(frozen=True)
class Findings(Tally):
    """The findings of one inventory."""

    active: tuple[str, ...]
    """The policies that are on."""
    judged: tuple[str, ...]
    """Those of them that could be judged."""
    judged_kinds: tuple[str, ...]
    """The kinds of owners for which ``unknown_owner`` was."""


@dataclass(frozen=True, eq=False)
class Grounds:
    """What the findings rest on, at any moment."""

    rules: Rules
    kinds: tuple[str, ...]
    """As :func:`judged_kinds`."""
    accused: Dates
    """Of the keys that are judged."""
    spared: Dates
    """Of those that would be, were they not exempted."""
    lasting: Tally
    """The findings of the policies that do not depend on the time."""


def grounds_of(keys: Sequence[Key], dates: Dates, rules: Rules, *, directory: Directory) -> Grounds:
    """Return the grounds that ``keys`` are, in the order of :func:`in_order`, with their dates."""
    accountable = owned(keys)
    accused, spared = dates.without("internal"), Dates({}, ())
    exempt: set[str] = set()
    if rules.has_exempt:
        exempt = {key.id for key in accountable if rules.exempts(key)}
        accused = dates_of(key for key in accountable if key.id not in exempt)
        spared = dates_of(key for key in accountable if key.id in exempt)
    lasting = _tally(broken_anyway(accountable, rules, directory=directory), exempt)
    kinds = judged_kinds({key.owner for key in keys}, directory)
    return Grounds(rules, kinds, accused, spared, lasting)


def findings_at(grounds: Grounds, *, now: float) -> Findings:
    """Return the findings at the Unix time ``now``."""
    rules, lasting = grounds.rules, grounds.lasting
    accused = _tally(broken_by_time(grounds.accused, rules, now=now))
    spared = {
        policy: len(broken)
        for policy, broken in broken_by_time(grounds.spared, rules, now=now)
        if broken
    }
    return Findings(
        by_owner={**accused.by_owner, **lasting.by_owner},
        exempted={**spared, **lasting.exempted},
        active=rules.active(),
        judged=judged(rules, grounds.kinds),
        judged_kinds=grounds.kinds,
    )


def remaining_at(grounds: Grounds, *, now: float) -> Mapping[str, Histogram]:
    """Return how long the keys have left at the Unix time ``now`` until they break ``max_age``.

    By kind of owner, 0 for those that do; empty if the policy is off. Keys that the policy does not
    judge, or that are exempted, are left out, so that the first bucket holds its findings.
    """
    max_age = grounds.rules.max_age
    if max_age is None:
        return {}
    nobody = dict.fromkeys(grounds.spared.created, Timeline((), ()))
    return {
        kind: timeline.remaining(max_age, now=now)
        for kind, timeline in (nobody | {**grounds.accused.created}).items()
    }


def _tally(broken: Broken, exempt: Collection[str] = frozenset()) -> Tally:
    by_owner: dict[tuple[str, Owner], int] = {}
    exempted: dict[str, int] = {}
    for policy, keys in broken:
        accused = [key for key in keys if key.id not in exempt] if exempt else keys
        owners = Counter(key.owner for key in accused)
        by_owner |= {(policy, owner): count for owner, count in owners.items()}
        if len(accused) < len(keys):
            exempted[policy] = len(keys) - len(accused)
    return Tally(by_owner, exempted)


def findings_of(
    keys: Collection[Key], rules: Rules, *, directory: Directory, now: float
) -> Iterator[Finding]:
    """Yield every finding among ``keys`` at the Unix time ``now``, policy by policy."""
    accountable = owned(in_order(keys))
    for policy, broken in chain(
        broken_by_time(dates_of(accountable), rules, now=now),
        broken_anyway(accountable, rules, directory=directory),
    ):
        for key in broken:
            yield Finding(policy, key, rules.exempts(key))
