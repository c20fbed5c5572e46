"""The simulator as something to fetch from: each page is made once and then only copied.

``python -m benchmarks.upstream --keys=1000 --organizations=1`` serves it on a free port and prints
the address. The API key of organization N is ``KEYN``. With ``--churning`` keys come and go between
the walks of the exporter.
"""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx

from benchmarks.churning import Churning, churned
from exporter.clock import SystemClock
from exporter.simulator import Account, Simulator, seeded_organization
from exporter.web import bind, serve
from exporter.web.sockets import url_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from exporter.clock import Clock

SECRET = "made-up-secret-of-the-benchmark"  # noqa: S105 # good for the simulator alone


class Prepared:
    """Answers each request as ``app`` answered it the first time."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._answers: dict[tuple[bytes, ...], list[Message]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, by its path, its query and its credentials."""
        headers = dict(scope["headers"])
        request = (scope["raw_path"], scope["query_string"], headers.get(b"authorization", b""))
        answer = self._answers.get(request)
        if answer is None:
            answer = []

            async def keep(message: Message) -> None:
                answer.append(message)

            await self._app(scope, receive, keep)
            self._answers[request] = answer
        for message in answer:
            await send(message)


async def walk(client: httpx.AsyncClient, account: Account) -> None:
    """Ask for every page of the keys, as the exporter does."""
    params = {"page_size": "100"}
    while True:
        response = await client.get(
            "/iam/v2/api-keys", params=params, auth=(account.api_key, account.api_secret)
        )
        following = response.json()["metadata"].get("next")
        if not following:
            return
        params["page_token"] = httpx.URL(following).params["page_token"]


async def prepared(accounts: Iterable[Account], *, clock: Clock) -> Prepared:
    """Return the simulator of ``accounts`` after everybody has walked."""
    accounts = list(accounts)
    app = Prepared(Simulator(accounts, clock=clock))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        for account in accounts:
            await walk(client, account)
    return app


async def application(
    *, keys: int, organizations: int = 1, churning: bool = False, clock: Clock
) -> ASGIApp:
    """Return what is served: so many organizations of so many keys each, all pages prepared.

    ``churning``: see :class:`benchmarks.churning.Churning`.
    """
    now = clock.wall()
    accounts = [
        Account(f"KEY{number}", SECRET, seeded_organization(seed=number, keys=keys, now=now))
        for number in range(organizations)
    ]
    app = await prepared(accounts, clock=clock)
    if not churning:
        return app
    later = [replace(each, organization=churned(each.organization, now=now)) for each in accounts]
    return Churning(app, await prepared(later, clock=clock))


async def main() -> None:
    """Prepare the pages, serve them, and say where."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--keys", type=int, required=True)
    parser.add_argument("--organizations", type=int, default=1)
    parser.add_argument("--churning", action="store_true")
    app = await application(**vars(parser.parse_args()), clock=SystemClock())
    sockets = bind(["127.0.0.1:0"])
    async with serve(app, sockets):
        print(url_of(sockets[0]), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
