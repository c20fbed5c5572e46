"""The simulated Confluent Cloud as an ASGI application."""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from random import Random
from typing import TYPE_CHECKING, Protocol

from exporter.simulator import responses
from exporter.simulator.accounts import Account, Accounts
from exporter.simulator.faults import damage, delay_of, replacement
from exporter.simulator.flags import Fault, SimulatedRateLimit, parse_fault
from exporter.simulator.listings import ApiOptions, Listings
from exporter.simulator.rate_limit import RateWindow, WindowState
from exporter.simulator.requests import ServedRequest, header, origin_of
from exporter.simulator.transport import InProcessTransport

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    import httpx
    from starlette.types import Receive, Scope, Send

    from exporter.clock import Clock
    from exporter.simulator.lifecycle import Lifecycle
    from exporter.simulator.organization import SimulatedOrganization
    from exporter.simulator.responses import Response

_MAX_REQUESTS = 10_000


class Service(Protocol):
    """Answers the requests that passed authentication and rate limit."""

    def respond(
        self,
        request: ServedRequest,
        account: Account,
        *,
        faults: Collection[str],
        options: ApiOptions,
    ) -> Response:
        """Return the response to ``account``, with the ``faults`` that apply to its content."""
        ...


class Simulator:
    """One or many organizations behind one address, told apart by the credentials.

    ``rate_limit`` applies to each organization, over all of its credentials. ``faults`` affect only
    requests that pass authentication and rate limit. ``faults`` and ``options`` may be changed at
    any time. ``lifecycles`` advance before each request. ``seed`` determines which requests
    are affected by faults, and the request ids. ``service``: by default the listings of
    ``api.confluent.cloud``.

    Raises ``ValueError`` if two accounts have the same API key, or two organizations the same id.
    """

    def __init__(
        self,
        accounts: Iterable[Account],
        *,
        clock: Clock,
        seed: int = 0,
        rate_limit: SimulatedRateLimit | None = None,
        faults: Iterable[Fault] = (),
        lifecycles: Iterable[Lifecycle] = (),
        options: ApiOptions | None = None,
        service: Service | None = None,
    ) -> None:
        self.options = ApiOptions() if options is None else options
        self.faults = list(faults)
        self.requests: deque[ServedRequest] = deque(maxlen=_MAX_REQUESTS)
        """The latest requests, whatever their outcome."""
        self.received = 0
        """The number of requests since the start."""
        self._accounts = Accounts(accounts)
        self._clock = clock
        self._seed = seed
        self._random = Random(f"faults {seed}")
        self._rate_limit = rate_limit
        self._lifecycles = tuple(lifecycles)
        self._service = Listings() if service is None else service
        self._windows: dict[str, RateWindow] = {}
        self._script: dict[tuple[str | None, int], list[Fault]] = {}
        self._number = 0
        self._numbers: Counter[str] = Counter()

    def window(self, organization: SimulatedOrganization) -> RateWindow:
        """Return the rate-limit window that all credentials of ``organization`` share."""
        window = self._windows.get(organization.id)
        if window is None:
            window = RateWindow(self._rate_limit, clock=self._clock)
            self._windows[organization.id] = window
        return window

    def script(self, request_number: int, *faults: Fault | str, path: str | None = None) -> None:
        """Apply ``faults`` or their SPECs to one request, in addition to the other faults.

        Requests are numbered from 1 in order of arrival since the start or the latest
        :meth:`reset_requests`. With ``path``, only requests to that endpoint are counted. A fault
        for another endpoint does not apply.
        """
        self._script.setdefault((path, request_number), []).extend(
            parse_fault(fault) if isinstance(fault, str) else fault for fault in faults
        )

    def reset_requests(self) -> None:
        """Clear the recorded requests and the script, and number requests from 1 again."""
        self.requests.clear()
        self._script.clear()
        self._number = 0
        self._numbers.clear()

    def transport(self) -> httpx.AsyncBaseTransport:
        """Return a transport to this application without a socket."""
        return InProcessTransport(self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan":
            await _serve_lifespan(receive, send)
            return
        authorization = header(scope, "authorization")
        request = self._record(scope, authorized=authorization is not None)
        response = await self._respond(request, authorization)
        response.headers["X-Request-Id"] = request.request_id
        request.status = response.status
        await response.send(send)

    def _record(self, scope: Scope, *, authorized: bool) -> ServedRequest:
        self.received += 1
        self._number += 1
        path = scope["path"]
        self._numbers[path] += 1
        digest = hashlib.blake2b(f"{self._seed} {self.received}".encode(), digest_size=16)
        request = ServedRequest(
            number=self._number,
            number_of_path=self._numbers[path],
            time=self._clock.monotonic(),
            request_id=digest.hexdigest(),
            method=scope["method"],
            origin=origin_of(scope),
            path=path,
            query_string=scope["query_string"].decode("latin-1"),
            authorized=authorized,
        )
        self.requests.append(request)
        return request

    async def _respond(self, request: ServedRequest, authorization: str | None) -> Response:
        for lifecycle in self._lifecycles:
            lifecycle.advance(request.time, wall=self._clock.wall())
        account = self._accounts.authenticate(authorization)
        if account is None:
            return responses.error_response(responses.UNAUTHORIZED, request.request_id)
        request.account = account.api_key
        window = self.window(account.organization).take(account.api_key)
        if window is not None and not window.accepted:
            response = responses.too_many_requests()
            _add_rate_limit_headers(response, window)
            return response
        faults = self._faults_for(request)
        names = {fault.name for fault in faults}
        if "slow" in names:
            await self._clock.sleep(delay_of(faults))
        response = replacement(faults, request) or self._service.respond(
            request, account, faults=names, options=self.options
        )
        _add_rate_limit_headers(response, window)
        damage(response, names)
        return response

    def _faults_for(self, request: ServedRequest) -> list[Fault]:
        path = request.path_after(self.options.path_prefix)
        scripted = (
            *self._script.pop((None, request.number), ()),
            *self._script.pop((path, request.number_of_path), ()),
        )
        here = [fault for fault in self.faults if fault.path in {None, path}]
        return [
            *(fault for fault in scripted if fault.path in {None, path}),
            *(fault for fault in here if self._random.random() < fault.probability),
        ]


def _add_rate_limit_headers(response: Response, window: WindowState | None) -> None:
    """Add rate-limit headers to a 2xx or a 429. Every 429 has ``Retry-After``."""
    refused = response.status == 429  # noqa: PLR2004 # Too Many Requests
    if window is not None and (refused or 200 <= response.status < 300):  # noqa: PLR2004 # success
        response.headers = {**window.headers(refused=refused), **response.headers}
    elif refused:
        response.headers.setdefault("Retry-After", "1")


async def _serve_lifespan(receive: Receive, send: Send) -> None:
    """Acknowledge the server's start and stop."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
