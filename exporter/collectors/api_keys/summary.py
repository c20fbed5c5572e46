"""The API keys on the status page and in the output of ``check``."""

from __future__ import annotations

from heapq import nlargest
from typing import TYPE_CHECKING

from exporter.collectors.api_keys.own_key import own_key
from exporter.collectors.api_keys.state import API_KEYS_STATE
from exporter.collectors.names import DIRECTORY
from exporter.confluent.endpoints import API_KEYS
from exporter.summary import Fact, Row, Summary, Table, duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.clock import Clock
    from exporter.collectors.api_keys.state import ApiKeysState
    from exporter.config import Organization
    from exporter.inventory import Directory, Inventory
    from exporter.refresh import OrganizationState
    from exporter.summary import Level

_MAX_OWNERS = 5
_OWNERS = {"service-account": "service accounts", "user": "users"}
"""The kinds of owners that can be deleted, in words."""
_SUSPICIOUS_RATIO = 0.2
"""Of the keys that vanished at once, as in the alert about a lost role."""
_SOON, _VERY_SOON = 14 * 86_400.0, 3 * 86_400.0
"""Seconds until the exporter's own key expires, as in the alerts about it."""


def summarize(state: OrganizationState, organization: Organization, *, clock: Clock) -> Summary:
    """Return the counts, and the findings, owners and keys that matter most."""
    mine = state.get(API_KEYS_STATE)
    inventory = mine.inventory
    access = (*_token(state, now=clock.wall()), *_rate_limit(state, now=clock.wall()))
    if inventory is None:
        return Summary((Fact("API keys", "not known yet"), *access))
    fresh_for = mine.fresh_until(organization) - clock.monotonic()
    if fresh_for <= 0:
        return Summary((Fact("API keys", "too old to publish", level="error"), *access))
    failing = state.prioritized.failure is not None
    total = Fact(
        "API keys",
        inventory.total,
        note=f"disappears in {duration(fresh_for)}" if failing else "",
        note_level="warning",
    )
    directory = state.get(DIRECTORY)
    return Summary(
        (total, *_counts(mine, inventory), *_own_key(state, now=clock.wall()), *access),
        (
            _findings(inventory, named=organization.names.enabled),
            _owners(inventory, directory),
            _oldest_keys(inventory, directory, now=clock.wall()),
        ),
    )


def _counts(mine: ApiKeysState, inventory: Inventory) -> Iterator[Fact]:
    kinds = ", ".join(f"{count} {kind}" for kind, count in inventory.owners_by_kind.items())
    yield Fact("Owners", len(inventory.owners), note=kinds)
    yield Fact("Resources", len(inventory.resources))
    if mine.vanished:
        suspicious = (mine.vanished_ratio or 0.0) > _SUSPICIOUS_RATIO
        yield Fact(
            "Vanished in the latest refresh",
            mine.vanished,
            note="deleted, or hidden by a lost role",
            level="error" if suspicious else "warning",
        )
    if mine.unreadable:
        yield Fact("Unreadable items", mine.unreadable, level="error")
    if inventory.collapsed_pairs:
        yield Fact("Pairs beyond max_pairs", inventory.collapsed_pairs, level="warning")


def _own_key(state: OrganizationState, *, now: float) -> Iterator[Fact]:
    """Yield the age and the expiry of the exporter's own key, nothing if it is not listed."""
    own = own_key(state)
    if own is None:
        return
    age = "unknown age" if own.created_at is None else f"{duration(now - own.created_at)} old"
    note = "does not expire"
    level: Level = ""
    if own.expires_at is not None:
        left = own.expires_at - now
        note = f"expires in {duration(left)}" if left > 0 else f"expired {duration(-left)} ago"
        level = "error" if left < _VERY_SOON else "warning" if left < _SOON else ""
    yield Fact("The exporter's own key", age, note=note, note_level=level)


def _token(state: OrganizationState, *, now: float) -> Iterator[Fact]:
    """Yield the identity pool and the expiry of its token, nothing for an API key.

    A token that has expired since the latest refresh is replaced by the next one.
    """
    token = state.token
    if token is None:
        return
    expired = token.expires is None or token.expires <= now
    if token.expires is None:
        note = "no token yet"
    elif expired:
        note = f"token expired {duration(now - token.expires)} ago"
    else:
        note = f"token expires in {duration(token.expires - now)}"
    failing = state.prioritized.failure is not None
    yield Fact(
        "Identity pool",
        token.identity_pool,
        note=note,
        note_level="error" if expired and failing else "",
    )


def _rate_limit(state: OrganizationState, *, now: float) -> Iterator[Fact]:
    observed = state.rate_limits.get(API_KEYS.endpoint)
    if observed is not None:
        remaining = "?" if observed.remaining is None else observed.remaining
        limit = "?" if observed.limit is None else observed.limit
        finished = state.prioritized.finished
        yield Fact(
            "Rate limit for listing keys",
            f"{remaining} of {limit} requests left",
            note="" if finished is None else f"as of {duration(max(0.0, now - finished))} ago",
        )


def _findings(inventory: Inventory, *, named: bool) -> Table:
    findings = inventory.findings
    counts = dict.fromkeys(findings.active, 0)
    for (policy, _), count in findings.by_owner.items():
        counts[policy] += count

    def row(policy: str, count: int) -> Row:
        exempt = findings.exempted.get(policy, 0)
        notes = [f"{exempt} exempt"] if exempt else []
        if policy == "unknown_owner":
            notes += _unknown_owner_notes(inventory, named=named)
        if policy in findings.evaluated:
            return Row(policy, count, notes=notes, selects={"policy": policy})
        if policy == "unused_for":
            notes.append("activity is not known for this time")
        return Row(policy, "not evaluated", notes=notes)

    return Table(
        "Findings by policy",
        "findings",
        [row(*each) for each in counts.items()],
        if_empty="no policy is enabled",
    )


def _unknown_owner_notes(inventory: Inventory, *, named: bool) -> Iterator[str]:
    """Yield why findings of ``unknown_owner`` may be missing."""
    findings = inventory.findings
    if not named:
        yield "`names.enabled` is false"
    elif "unknown_owner" in findings.evaluated:
        kinds = (_OWNERS.keys() & inventory.owners_by_kind.keys()) - {*findings.evaluated_kinds}
        if kinds:
            yield f"not evaluated for {', '.join(_OWNERS[kind] for kind in sorted(kinds))}"


def _owners(inventory: Inventory, directory: Directory) -> Table:
    counts = {owner.id: count for owner, count in inventory.owners.items() if owner.id}
    most = nlargest(_MAX_OWNERS, counts, key=lambda owner_id: (counts[owner_id], owner_id))
    rows = [_named_row(owner_id, counts[owner_id], directory) for owner_id in most]
    return Table("Owners with the most keys", "top owners", rows)


def _named_row(owner_id: str, count: int, directory: Directory) -> Row:
    name = directory.owner_name(owner_id)
    selects = {"owner": owner_id}
    if not name:
        return Row(owner_id, count, selects=selects)
    return Row(name, count, id=owner_id, selects=selects)


def _oldest_keys(inventory: Inventory, directory: Directory, *, now: float) -> Table:
    def owner(owner_id: str) -> str:
        name = directory.owner_name(owner_id)
        return f"{name} {owner_id}" if name else owner_id or "no owner"

    rows = [
        Row(
            key.id,
            duration(now - created_at),
            notes=[owner(key.owner.id)],
            selects={"api_key": key.id},
        )
        for key, created_at in inventory.oldest_keys
    ]
    return Table("Oldest keys", "oldest keys", rows)
