"""The fake Confluent Cloud as an ASGI application.

Serves ``GET /iam/v2/api-keys`` for one or many organizations behind one address, told apart by the
credentials, as in life.
"""

from __future__ import annotations

import hashlib
from collections import deque
from random import Random
from typing import TYPE_CHECKING

from starlette.requests import Request

from exporter.simulator import answers
from exporter.simulator.accounts import basic_credentials, by_api_key
from exporter.simulator.asked import Asked, asked_of
from exporter.simulator.effects import answer_instead, damage, next_link, shrunk
from exporter.simulator.faults import DEFAULT_DELAY, Fault, parse_fault
from exporter.simulator.journal import JOURNAL_LENGTH, ServedRequest
from exporter.simulator.listing import (
    End,
    InvalidQuery,
    Listing,
    Rules,
    link,
    parse_query,
    token_after,
)
from exporter.simulator.rate_limit import RateLimit, RateWindow, Said
from exporter.simulator.transport import InProcessTransport

if TYPE_CHECKING:
    from collections.abc import Iterable

    import httpx
    from starlette.types import Receive, Scope, Send

    from exporter.clock import Clock
    from exporter.simulator.accounts import Account
    from exporter.simulator.answers import Answer
    from exporter.simulator.life import Life
    from exporter.simulator.listing import Query
    from exporter.simulator.organization import SimulatedOrganization

API_KEYS_PATH = "/iam/v2/api-keys"
_UNLIMITED_WINDOW = 60.0  # seconds; without a limit, requests are still counted


class Simulator:
    """The ASGI application.

    ``rate_limit`` holds for each organization, over all of its credentials. ``faults`` may befall
    every request that got past authentication and rate limit; the list may be changed at any
    time, as may ``rules``. ``lives`` are advanced at each request. ``seed`` decides which requests
    faults befall, and the request ids.

    Raises ``ValueError`` if two accounts have the same API key, or two organizations the same id.
    """

    def __init__(
        self,
        accounts: Iterable[Account],
        *,
        clock: Clock,
        seed: int = 0,
        rate_limit: RateLimit | None = None,
        faults: Iterable[Fault] = (),
        lives: Iterable[Life] = (),
        rules: Rules | None = None,
    ) -> None:
        self.rules = Rules() if rules is None else rules
        self.faults = list(faults)
        self.requests: deque[ServedRequest] = deque(maxlen=JOURNAL_LENGTH)
        self._accounts = by_api_key(accounts)
        self._clock = clock
        self._seed = seed
        self._random = Random(f"faults {seed}")
        self._rate_limit = rate_limit
        self._lives = tuple(lives)
        self._windows: dict[str, RateWindow] = {}
        self._listings: dict[str, Listing] = {}
        self._script: dict[int, list[Fault]] = {}
        self._served = 0
        self._number = 0

    def window(self, organization: SimulatedOrganization) -> RateWindow:
        """Return the rate-limit window that all credentials of ``organization`` share."""
        window = self._windows.get(organization.id)
        if window is None:
            limit = self._rate_limit
            window = RateWindow(
                limit.limit if limit else None,
                limit.seconds if limit else _UNLIMITED_WINDOW,
                clock=self._clock,
            )
            self._windows[organization.id] = window
        return window

    def script(self, request_number: int, *faults: Fault | str) -> None:
        """Let ``faults``, or their SPECs, befall one request for certain, besides other faults.

        Requests are numbered from 1, by arrival, since the start or the latest
        :meth:`reset_requests`, whatever becomes of them.
        """
        self._script.setdefault(request_number, []).extend(
            parse_fault(fault) if isinstance(fault, str) else fault for fault in faults
        )

    def reset_requests(self) -> None:
        """Forget the requests that were served, count anew from 1, and drop the script."""
        self.requests.clear()
        self._script.clear()
        self._number = 0

    def transport(self) -> httpx.AsyncBaseTransport:
        """Return a transport that leads here without a socket."""
        return InProcessTransport(self)

    def _listing(self, organization: SimulatedOrganization) -> Listing:
        listing = self._listings.get(organization.id)
        if listing is None:
            listing = self._listings[organization.id] = Listing(organization)
        return listing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of ASGI."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            request = Request(scope)
            served = self._note(request)
            answer = await self._answer(request, served)
            answer.headers["X-Request-Id"] = served.request_id
            served.status = answer.status
            await answer.send(send)

    def _note(self, request: Request) -> ServedRequest:
        self._served += 1
        self._number += 1
        drawn = hashlib.blake2b(f"{self._seed} {self._served}".encode(), digest_size=16)
        served = ServedRequest(
            number=self._number,
            time=self._clock.monotonic(),
            method=request.method,
            path=request.scope["path"],
            query=dict(request.query_params),
            authorized="authorization" in request.headers,
            request_id=drawn.hexdigest(),
        )
        self.requests.append(served)
        return served

    async def _answer(self, request: Request, served: ServedRequest) -> Answer:
        for life in self._lives:
            life.advance(served.time, wall=self._clock.wall())
        account = self._authenticate(request)
        if account is None:
            refuse = answers.unauthorized
            if self.rules.bad_key_is_forbidden:
                refuse = answers.invalid_api_key
            return refuse(served.request_id)
        served.account = account.api_key
        said = self.window(account.organization).take(account.api_key)
        if said is not None and not said.accepted:
            answer = answers.too_many_requests()
            answer.headers |= said.headers()
            return answer
        faults = self._faults_of(served.number)
        for fault in faults:
            if fault.name == "slow":
                delay = DEFAULT_DELAY if fault.seconds is None else fault.seconds
                await self._clock.sleep(delay)
        names = {fault.name for fault in faults}
        asked = asked_of(request, request_id=served.request_id)
        instead = answer_instead(faults, asked)
        answer = self._serve(request, asked, account, names) if instead is None else instead
        _add_road_signs(answer, said)
        damage(answer, names)
        return answer

    def _authenticate(self, request: Request) -> Account | None:
        credentials = basic_credentials(request.headers.get("authorization"))
        if credentials is None:
            return None
        account = self._accounts.get(credentials[0])
        return account if account and account.api_secret == credentials[1] else None

    def _faults_of(self, number: int) -> list[Fault]:
        struck = [f for f in self.faults if self._random.random() < f.probability]
        return [*self._script.pop(number, ()), *struck]

    def _serve(self, request: Request, asked: Asked, account: Account, faults: set[str]) -> Answer:
        if asked.path != self.rules.path_prefix + API_KEYS_PATH:
            return answers.not_found(asked.id)
        if request.method != "GET":
            return answers.method_not_allowed(asked.id)
        if account.role == "none":
            return answers.forbidden(asked.id)
        try:
            query = parse_query(request.query_params.multi_items(), self.rules)
        except InvalidQuery as error:
            return answers.bad_parameter(asked.id, error.parameter, str(error))
        return answers.json_answer(self._page(query, asked, account, faults))

    def _page(self, query: Query, asked: Asked, account: Account, faults: set[str]) -> bytes:
        visible = shrunk(account.visible) if "shrink" in faults else account.visible
        listing = self._listing(account.organization)
        keys, more = listing.page(query, visible=visible)
        if keys and self.rules.end is End.EMPTY_PAGE:
            more = True
        token = token_after(keys[-1].id) if more else None
        link_to_next = next_link(faults, asked.address, query, token)
        metadata: dict[str, object] = {}
        if link_to_next is not None:
            metadata |= {"first": link(asked.address, query, None), "next": link_to_next}
        elif self.rules.end is End.NULL:
            metadata |= {"first": None, "last": None, "prev": None, "next": None}
        elif self.rules.end is End.EMPTY_STRING:
            metadata |= {"first": "", "next": ""}
        if self.rules.total_size:
            metadata["total_size"] = listing.total(query, visible=visible)
        return listing.encode(keys, metadata)


def _add_road_signs(answer: Answer, said: Said | None) -> None:
    """Add what the window says to a 2xx or a 429; a 429 always says when to come back."""
    refused = answer.status == 429  # noqa: PLR2004 # Too Many Requests
    if said is not None and (refused or 200 <= answer.status < 300):  # noqa: PLR2004 # success
        shown = Said(accepted=False, limit=said.limit, remaining=0, reset=said.reset)
        answer.headers = {**(shown if refused else said).headers(), **answer.headers}
    elif refused:
        answer.headers.setdefault("Retry-After", "1")


async def _live(receive: Receive, send: Send) -> None:
    """Answer the server's start and stop; there is nothing to prepare."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
