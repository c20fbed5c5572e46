"""What ``check`` says of an organization: a line of its own, and below it what is known."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from exporter.escaping import one_line
from exporter.refresh import summarize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.config import Organization
    from exporter.inventory import Inventory
    from exporter.refresh import OrganizationState

_UNBREAKABLE = "\N{FIGURE SPACE}"


def describe(organization: Organization, state: OrganizationState) -> Iterator[str]:
    """Yield the lines about one organization after its first refresh."""
    failure = state.collectors["api_keys"].failure
    if failure is not None or state.inventory is None:
        reason = failure.reason if failure else "unknown"
        yield f"{state.name}: failed ({reason}): {failure}"
        return
    yield f"{state.name}: ok: {_what_is_seen(organization, state, state.inventory)}"
    yield from _facts(state, state.inventory, named=organization.names.enabled)
    for name, collector in state.collectors.items():
        if collector.failure is not None:
            yield f"  {name} failed ({collector.failure.reason}): {collector.failure}"


def _what_is_seen(
    organization: Organization, state: OrganizationState, inventory: Inventory
) -> str:
    owners = ", ".join(f"{count} {kind}" for kind, count in inventory.owners_by_kind.items())
    own = organization.credentials.read()[0] in state.keys
    seen = (
        f"{_many(inventory.total, 'key')} of {_many(len(inventory.owners), 'owner')}"
        f" ({owners or 'none'}) for {_many(len(inventory.resources), 'resource')};"
        f" own key {'seen' if own else 'not seen'}"
    )
    if not inventory.total and state.filtered:
        return f"{seen}: nothing matches the filters; ids look like sa-…, u-…, lkc-… or cloud"
    if own or state.filtered:
        return seen
    return (
        f"{seen}: the role may hide keys. Only OrganizationAdmin on the whole organization is known"
        " to see all of them"
    )


def _facts(state: OrganizationState, inventory: Inventory, *, named: bool) -> Iterator[str]:
    facts = summarize(state, inventory)
    now = state.collectors["api_keys"].finished or 0.0
    not_judged = "not judged" if named else "not judged (`names.enabled` is false)"
    rows = {
        "findings": [
            f"{one.policy} {one.count if one.judged else not_judged}"
            + (f" ({', '.join(one.not_judged)} not judged)" if one.not_judged else "")
            for one in facts.policies
        ],
        "top owners": [f"{_named(one.name, one.id)} {one.count}" for one in facts.top_owners],
        "oldest keys": [
            f"{one_line(one.id, 40)} {(now - one.created_at) // 86_400:.0f} d"
            for one in facts.oldest_keys
        ],
        "quotas": [
            f"{one_line(one.quota.id, 60)}"
            f" {_named(one.name, ''.join(one.about[:1]))}"
            f" {one.used}/{one.quota.limit}".replace("  ", " ")
            for one in facts.quotas
        ],
    }
    for name, parts in rows.items():
        if parts:
            # An item is not broken between its name and its number.
            yield textwrap.fill(
                ", ".join(part.replace(" ", _UNBREAKABLE) for part in parts),
                width=79,
                initial_indent=f"  {name + ':':<13}",
                subsequent_indent=" " * 15,
                break_long_words=False,
                break_on_hyphens=False,
            ).replace(_UNBREAKABLE, " ")


def _named(name: str, its_id: str) -> str:
    """Return a name beside an id, both from the network, as a terminal may show them."""
    shown = one_line(its_id, 40)
    return f"{one_line(name, 40)} ({shown})" if name else shown


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
