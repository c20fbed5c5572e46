"""The fake Confluent Cloud as an ASGI application.

Serves the listings of :mod:`exporter.simulator.listings` for one or many organizations behind one
address, told apart by the credentials, as in life.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from random import Random
from typing import TYPE_CHECKING

from starlette.requests import Request

from exporter.simulator import answers
from exporter.simulator.accounts import basic_credentials, by_api_key
from exporter.simulator.asked import asked_of
from exporter.simulator.effects import answer_instead, damage
from exporter.simulator.faults import DEFAULT_DELAY, Fault, parse_fault
from exporter.simulator.journal import JOURNAL_LENGTH, ServedRequest
from exporter.simulator.query import Rules
from exporter.simulator.rate_limit import RateLimit, RateWindow, Said
from exporter.simulator.serving import Server
from exporter.simulator.transport import InProcessTransport

if TYPE_CHECKING:
    from collections.abc import Iterable

    import httpx
    from starlette.types import Receive, Scope, Send

    from exporter.clock import Clock
    from exporter.simulator.accounts import Account
    from exporter.simulator.answers import Answer
    from exporter.simulator.life import Life
    from exporter.simulator.organization import SimulatedOrganization

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
        self._server = Server()
        self._script: dict[tuple[str | None, int], list[Fault]] = {}
        self._numbers: Counter[str] = Counter()
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

    def script(self, request_number: int, *faults: Fault | str, path: str | None = None) -> None:
        """Let ``faults``, or their SPECs, befall one request for certain, besides other faults.

        Requests are numbered from 1, by arrival, since the start or the latest
        :meth:`reset_requests`, whatever becomes of them; if ``path`` is given, only those to that
        endpoint are. A fault that is limited to another endpoint does not befall the request.
        """
        self._script.setdefault((path, request_number), []).extend(
            parse_fault(fault) if isinstance(fault, str) else fault for fault in faults
        )

    def reset_requests(self) -> None:
        """Forget the requests that were served, count anew from 1, and drop the script."""
        self.requests.clear()
        self._script.clear()
        self._numbers.clear()
        self._number = 0

    def transport(self) -> httpx.AsyncBaseTransport:
        """Return a transport that leads here without a socket."""
        return InProcessTransport(self)

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
        path = request.scope["path"]
        self._numbers[path] += 1
        drawn = hashlib.blake2b(f"{self._seed} {self._served}".encode(), digest_size=16)
        served = ServedRequest(
            number=self._number,
            time=self._clock.monotonic(),
            method=request.method,
            path=path,
            number_of_path=self._numbers[path],
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
        asked = asked_of(request, request_id=served.request_id)
        faults = self._faults_of(served, asked.path_behind(self.rules.path_prefix))
        for fault in faults:
            if fault.name == "slow":
                delay = DEFAULT_DELAY if fault.seconds is None else fault.seconds
                await self._clock.sleep(delay)
        names = {fault.name for fault in faults}
        instead = answer_instead(faults, asked)
        if instead is None:
            answer = self._server.answer(asked, account, names, self.rules)
        else:
            answer = instead
        _add_road_signs(answer, said)
        damage(answer, names)
        return answer

    def _authenticate(self, request: Request) -> Account | None:
        credentials = basic_credentials(request.headers.get("authorization"))
        if credentials is None:
            return None
        account = self._accounts.get(credentials[0])
        return account if account and account.api_secret == credentials[1] else None

    def _faults_of(self, served: ServedRequest, path: str) -> list[Fault]:
        scripted = (
            *self._script.pop((None, served.number), ()),
            *self._script.pop((path, served.number_of_path), ()),
        )
        here = [fault for fault in self.faults if fault.path in {None, path}]
        return [
            *(fault for fault in scripted if fault.path in {None, path}),
            *(fault for fault in here if self._random.random() < fault.probability),
        ]


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
