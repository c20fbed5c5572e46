"""What ``check`` prints about an organization: a summary line, then indented details."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from exporter.cli.matching import overlapping_teams, unused_overrides
from exporter.collectors.api_keys import API_KEYS_STATE, own_key
from exporter.collectors.usage_state import USAGE
from exporter.config import ApiKeyCredentials
from exporter.escaping import one_line
from exporter.summary import timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from exporter.collectors.api_keys import ApiKeysState
    from exporter.config import Organization
    from exporter.inventory import Inventory
    from exporter.refresh import OrganizationState
    from exporter.summary import Row, Summary

_UNBREAKABLE = "\N{FIGURE SPACE}"


def describe(
    organization: Organization, state: OrganizationState, summaries: Sequence[Summary]
) -> Iterator[str]:
    """Yield the lines about one organization after its first refresh."""
    failure, inventory = state.prioritized.failure, state.get(API_KEYS_STATE).inventory
    if failure is not None or inventory is None:
        reason = failure.reason if failure else "unknown"
        yield f"{state.name}: failed ({reason}): {failure}"
        yield from _token(state)
        return
    yield f"{state.name}: ok: {_summary(organization, state, inventory)}"
    yield from _token(state)
    yield from _tables(summaries)
    yield from _usage(state)
    yield from _own_key(state)
    yield from _patterns(state.get(API_KEYS_STATE))
    for name, collector in state.refreshes.items():
        if collector.failure is not None:
            yield f"  {name} failed ({collector.failure.reason}): {collector.failure}"


def _summary(organization: Organization, state: OrganizationState, inventory: Inventory) -> str:
    owners = ", ".join(f"{count} {kind}" for kind, count in inventory.owners_by_kind.items())
    seen = (
        f"{_counted(inventory.total, 'key')} of {_counted(len(inventory.owners), 'owner')}"
        f" ({owners or 'none'}) for {_counted(len(inventory.resources), 'resource')}"
    )
    filtered = organization.filters.exclude_keys
    if isinstance(organization.credentials, ApiKeyCredentials):
        keys_hidden = own_key(state) is None
        seen += f"; own key {'not seen' if keys_hidden else 'seen'}"
    else:
        keys_hidden = not inventory.total  # an identity pool owns no key that must be listed
    if not inventory.total and filtered:
        return f"{seen}. No key matches the filters. Ids look like sa-…, u-…, lkc-… or cloud"
    if filtered or not keys_hidden:
        return seen
    return (
        f"{seen}. The role may hide keys. Only OrganizationAdmin on the whole organization is known"
        " to see every key"
    )


def _token(state: OrganizationState) -> Iterator[str]:
    if (token := state.token) is None:
        return
    valid = "no token" if token.expires is None else f"token valid until {timestamp(token.expires)}"
    yield f"{_indented('pool')}{token.identity_pool}, {valid}"


def _own_key(state: OrganizationState) -> Iterator[str]:
    if (own := own_key(state)) is None:
        return
    created = "unknown age" if own.created_at is None else f"created {timestamp(own.created_at)}"
    expires = (
        "does not expire" if own.expires_at is None else f"expires {timestamp(own.expires_at)}"
    )
    yield f"{_indented('own key')}{created}, {expires}"


def _usage(state: OrganizationState) -> Iterator[str]:
    usage = state.get(USAGE).current
    if usage.window_start is None:
        return
    inventory = state.get(API_KEYS_STATE).inventory
    clusters = {
        each.id for each in (inventory.resources if inventory else ()) if each.kind == "kafka"
    }
    not_evaluated = len(clusters - usage.evaluated)
    yield (
        f"{_indented('usage')}activity known since {timestamp(usage.window_start)};"
        f" {not_evaluated} of {_counted(len(clusters), 'Kafka cluster')} not evaluated"
    )


def _tables(summaries: Sequence[Summary]) -> Iterator[str]:
    for table in (table for summary in summaries for table in summary.tables if table.rows):
        yield textwrap.fill(
            ", ".join(map(_row, table.rows)),
            width=79,
            initial_indent=_indented(table.short_title),
            subsequent_indent=" " * 15,
            break_long_words=False,
            break_on_hyphens=False,
        ).replace(_UNBREAKABLE, " ")


def _patterns(state: ApiKeysState) -> Iterator[str]:
    if state.folded is None:
        return
    for title, text in (
        ("overrides", unused_overrides(state.folded)),
        ("teams", overlapping_teams(state.folded)),
    ):
        if text:
            yield f"{_indented(title)}{text}"


def _indented(title: str) -> str:
    return f"  {title + ':':<13}"


def _row(row: Row) -> str:
    """Return a row, with texts from the API made safe for a terminal.

    Its spaces are unbreakable, so that the label and the value stay on one line.
    """
    limit = "" if row.limit is None else f"/{row.limit}"
    label = one_line(row.label, 60)
    name = f"{label} ({one_line(row.id, 40)})" if row.id else label
    notes = f" ({'; '.join(one_line(note, 60) for note in row.notes)})" if row.notes else ""
    return f"{name} {row.value}{limit}".replace(" ", _UNBREAKABLE) + notes


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
