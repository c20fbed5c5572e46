"""Keys that are created and deleted between two refreshes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.simulator import API_KEYS_PATH, SimulatedOrganization

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

CHURN = 10
"""Keys that are deleted, and as many that are created."""
_EXPORTER = b"confluent-api-keys-exporter/"


class Churning:
    """Shows the exporter ``before`` and ``after`` in turns, from walk to walk, ``before`` first.

    It is told by its ``User-Agent``. Everybody else always sees ``before``, so that the loops that
    the exporter is measured beside move nothing, however often they walk. At its second, fourth…
    walk the exporter finds keys deleted and others created; at those between, that undone.
    """

    def __init__(self, before: ASGIApp, after: ASGIApp) -> None:
        self._listings = before, after
        self._walks: dict[bytes, int] = {}
        """Of the exporter, by its credentials."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._listing(scope)(scope, receive, send)

    def _listing(self, scope: Scope) -> ASGIApp:
        headers = dict(scope["headers"])
        if not headers.get(b"user-agent", b"").startswith(_EXPORTER):
            return self._listings[0]
        who = headers.get(b"authorization", b"")
        if scope["path"] == API_KEYS_PATH and b"page_token=" not in scope["query_string"]:
            self._walks[who] = self._walks.get(who, 0) + 1
        return self._listings[(self._walks.get(who, 1) - 1) % 2]


def churned(organization: SimulatedOrganization, *, now: float) -> SimulatedOrganization:
    """Return what the organization is later, at the Unix time ``now``.

    Its first :data:`CHURN` keys are deleted, and as many created that are listed behind all others,
    for the owners and resources of keys that stay: so every page begins and ends :data:`CHURN` keys
    later, and there are as many pages as before. What stays is the same, byte by byte.

    Raises ``ValueError`` for an organization that is too small to lose them.
    """
    keys = list(organization.keys.values())
    if len(keys) < 2 * CHURN:
        raise ValueError(f"{len(keys)} keys are too few to delete and create {CHURN}")
    stamp = round(now, 6)
    created = [
        replace(
            like,
            id=f"ZZZZZZZZ{number:08}",
            created_at=stamp,
            updated_at=stamp,
            expires_at=None,
        )
        for number, like in enumerate(keys[-CHURN:])
    ]
    listed = organization.records()[len(keys) :]
    return SimulatedOrganization(
        [*keys[CHURN:], *created, *listed],
        id=organization.id,
        name=organization.name,
        entities=organization.entities,
    )
