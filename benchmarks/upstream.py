"""The simulator as something to fetch from: each page is made once and then only copied.

``python -m benchmarks.upstream --keys=1000 --organizations=1`` serves it on a free port and prints
the address. The API key of organization N is ``KEYN``.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING

import httpx

from exporter.clock import SystemClock
from exporter.simulator import Account, Simulator, seeded_organization
from exporter.web import bind, serve
from exporter.web.server import url_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECRET = "made-up-secret-of-the-benchmark"  # noqa: S105 # good for the simulator alone


_WHITE = bytes.maketrans(b"01", b" \t")  # JSON may end with either
_DIGITS = 32


class Prepared:
    """Answers each request as ``app`` answered it the first time.

    ``changing``: with white space at the end that is another one in every answer, so that nobody
    has an advantage from having seen the page before.
    """

    def __init__(self, app: ASGIApp, *, changing: bool = False) -> None:
        self._app = app
        self._changing = changing
        self._answered = 0
        self._answers: dict[tuple[bytes, ...], list[Message]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, by its path, its query and its credentials."""
        headers = dict(scope["headers"])
        request = (scope["raw_path"], scope["query_string"], headers.get(b"authorization", b""))
        answer = self._answers.get(request)
        if answer is None:
            answer = []

            async def keep(message: Message) -> None:
                answer.append(self._lengthened(message) if self._changing else message)

            await self._app(scope, receive, keep)
            self._answers[request] = answer
        self._answered += 1
        for message in answer:
            if self._changing and message["type"] == "http.response.body":
                white = f"{self._answered:0{_DIGITS}b}".encode().translate(_WHITE)
                await send({**message, "body": message["body"] + white})
            else:
                await send(message)

    @staticmethod
    def _lengthened(message: Message) -> Message:
        """Return the start of an answer with room for the white space; all else as it is."""
        if message["type"] != "http.response.start":
            return message
        headers = [
            (name, b"%d" % (int(value) + _DIGITS) if name == b"content-length" else value)
            for name, value in message["headers"]
        ]
        return {**message, "headers": headers}


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


async def main() -> None:
    """Prepare the pages, serve them, and say where."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--keys", type=int, required=True)
    parser.add_argument("--organizations", type=int, default=1)
    parser.add_argument("--changing", action="store_true")
    options = parser.parse_args()
    clock = SystemClock()
    accounts = [
        Account(
            f"KEY{number}",
            SECRET,
            seeded_organization(seed=number, keys=options.keys, now=clock.wall()),
        )
        for number in range(options.organizations)
    ]
    app = Prepared(Simulator(accounts, clock=clock), changing=options.changing)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        for account in accounts:
            await walk(client, account)
    sockets = bind(["127.0.0.1:0"])
    async with serve(app, sockets):
        print(url_of(sockets[0]), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
