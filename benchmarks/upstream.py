"""The simulator as an API to fetch from: each page is made once and then only copied.

``python -m benchmarks.upstream --keys=1000 --organizations=1`` serves it on a free port and prints
the URL. The API key of organization N is ``KEYN``. With ``--churning``, keys are created and
deleted between two refreshes of the exporter.
"""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx

from benchmarks.fetch import SECRET, walk
from exporter.clock import SystemClock
from exporter.simulator import Account, SimulatedOrganization, Simulator, seeded_organization
from exporter.web import bind, serve
from exporter.web.sockets import url_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

CHURN = 10
"""Number of keys that are deleted, and of keys that are created."""
_LOOP = b"python-httpx/"  # the User-Agent of the loops that the exporter is compared with


class Prepared:
    """Answers each request as ``app`` answered it the first time."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._answers: dict[tuple[bytes, ...], list[Message]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, by path, query and credentials."""
        credentials = dict(scope["headers"]).get(b"authorization", b"")
        request = (scope["raw_path"], scope["query_string"], credentials)
        if request not in self._answers:
            answer: list[Message] = []

            async def record(message: Message) -> None:
                answer.append(message)

            await self._app(scope, receive, record)
            self._answers[request] = answer
        for message in self._answers[request]:
            await send(message)


class Churning:
    """Alternates between two listings for the exporter, from one refresh to the next.

    The loops that it is compared with always see the first one, and change nothing.
    """

    def __init__(self, before: ASGIApp, after: ASGIApp) -> None:
        self._listings = before, after
        self._walks: dict[bytes, int] = {}
        """Walks that the exporter has started, by its credentials."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = dict(scope["headers"])
        listing = self._listings[0]
        if not headers.get(b"user-agent", b"").startswith(_LOOP):
            credentials = headers.get(b"authorization", b"")
            started = self._walks.get(credentials, 0) + (
                b"page_token=" not in scope["query_string"]
            )
            self._walks[credentials] = started
            listing = self._listings[(started - 1) % 2]
        await listing(scope, receive, send)


def churned(organization: SimulatedOrganization, *, now: float) -> SimulatedOrganization:
    """Return the organization at the Unix time ``now``, after keys were deleted and created.

    The first :data:`CHURN` keys are gone and the new ones are listed last. So every page has
    different bytes, and there are as many pages as before. The other keys do not change.
    """
    keys = list(organization.keys.values())
    created = [
        replace(like, id=f"ZZZZZZZZ{number:08}", created_at=now, updated_at=now, expires_at=None)
        for number, like in enumerate(keys[-CHURN:])
    ]
    listed = organization.records()[len(keys) :]
    return SimulatedOrganization(
        [*keys[CHURN:], *created, *listed],
        id=organization.id,
        name=organization.name,
        entities=organization.entities,
    )


async def _prepared(accounts: Iterable[Account]) -> Prepared:
    """Return the simulator of ``accounts`` with all pages made."""
    accounts = list(accounts)
    app = Prepared(Simulator(accounts, clock=SystemClock()))
    for account in accounts:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://127.0.0.1",
            auth=(account.api_key, account.api_secret),
        ) as client:
            await walk(client)
    return app


async def application(*, keys: int, organizations: int = 1, churning: bool = False) -> ASGIApp:
    """Return the simulator of ``organizations`` with ``keys`` API keys each, all pages made."""
    now = round(SystemClock().wall(), 6)
    accounts = [
        Account(f"KEY{number}", SECRET, seeded_organization(seed=number, keys=keys, now=now))
        for number in range(organizations)
    ]
    before = await _prepared(accounts)
    if not churning:
        return before
    later = [replace(each, organization=churned(each.organization, now=now)) for each in accounts]
    return Churning(before, await _prepared(later))


async def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--keys", type=int, required=True)
    parser.add_argument("--organizations", type=int, default=1)
    parser.add_argument("--churning", action="store_true")
    app = await application(**vars(parser.parse_args()))
    sockets = bind(["127.0.0.1:0"])
    async with serve(app, sockets):
        print(url_of(sockets[0]), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
