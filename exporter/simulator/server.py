"""The simulated Confluent Cloud as an ASGI application."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from exporter.simulator import responses
from exporter.simulator.accounts import Accounts
from exporter.simulator.fault_selection import FaultSelector
from exporter.simulator.faults import damage, delay_of, replacement
from exporter.simulator.identity_provider import ClientCredentialsEndpoint
from exporter.simulator.listings import ApiOptions, Listings
from exporter.simulator.metrics_api import DEFAULT_LIMITS, MetricsApi
from exporter.simulator.metrics_limits import (
    add_metrics_headers,
    metrics_error,
    metrics_too_many_requests,
)
from exporter.simulator.paths import METRICS_PATHS, TOKEN_PATHS
from exporter.simulator.rate_limit import RateWindow
from exporter.simulator.requests import RequestLog, ServedRequest, header
from exporter.simulator.responder import Responder
from exporter.simulator.responses import Response, error_response
from exporter.simulator.sts import SecurityTokenService
from exporter.simulator.token_endpoints import TokenEndpoints
from exporter.simulator.transport import InProcessTransport

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Collection, Iterable

    import httpx
    from starlette.types import Receive, Scope, Send

    from exporter.clock import Clock
    from exporter.simulator.accounts import Account
    from exporter.simulator.flags import Fault, SimulatedRateLimit
    from exporter.simulator.identity_provider import IdentityProvider
    from exporter.simulator.lifecycle import Lifecycle
    from exporter.simulator.organization import SimulatedOrganization
    from exporter.simulator.responses import Error
    from exporter.simulator.rotation import Rotation
    from exporter.simulator.service import Service
    from exporter.simulator.sts import IdentityPool


class Simulator:
    """One or many organizations behind one address, told apart by the credentials.

    ``rate_limit`` applies to each organization, over all of its credentials. ``faults`` affect only
    requests that pass authentication and rate limit. ``faults`` and ``options`` may be changed at
    any time. ``lifecycles`` advance before each request. ``seed`` determines which requests
    are affected by faults, and the request ids. ``service``: by default the listings of
    ``api.confluent.cloud``. ``pools`` exchange the tokens of ``identity_providers``.
    ``metrics_limits``: the rate limits of the Metrics API for all clients together and for each
    organization.

    Raises ``ValueError`` if two accounts have the same API key, or two organizations, pools or
    clients of providers the same id, or if no provider is the issuer of a pool.
    """

    def __init__(  # noqa: PLR0913 # each a property of the simulation that its user chooses
        self,
        accounts: Iterable[Account],
        *,
        clock: Clock,
        seed: int = 0,
        rate_limit: SimulatedRateLimit | None = None,
        faults: Iterable[Fault] = (),
        lifecycles: Iterable[Lifecycle | Rotation] = (),
        options: ApiOptions | None = None,
        service: Service | None = None,
        identity_providers: Iterable[IdentityProvider] = (),
        pools: Iterable[IdentityPool] = (),
        metrics_limits: tuple[SimulatedRateLimit, SimulatedRateLimit] = DEFAULT_LIMITS,
    ) -> None:
        providers, pools = tuple(identity_providers), tuple(pools)
        self.options = ApiOptions() if options is None else options
        self.faults = list(faults)
        self._accounts = Accounts(accounts, others=[pool.account for pool in pools])
        self._sts = SecurityTokenService(pools, providers, clock=clock)
        self._tokens = TokenEndpoints(self._sts, ClientCredentialsEndpoint(providers))
        self._clock = clock
        self._selector = FaultSelector(seed=seed)
        self._log = RequestLog(seed=seed)
        self._rate_limit = rate_limit
        self._lifecycles = tuple(lifecycles)
        self._service = Listings() if service is None else service
        self._windows: dict[str, RateWindow] = {}
        self._metrics = MetricsApi(clock=clock, limits=metrics_limits)

    @property
    def requests(self) -> deque[ServedRequest]:
        """The latest requests, whatever their outcome."""
        return self._log.requests

    @property
    def received(self) -> int:
        """The number of requests since the start."""
        return self._log.received

    def window(self, organization: SimulatedOrganization) -> RateWindow:
        """Return the rate-limit window that all credentials of ``organization`` share."""
        window = self._windows.get(organization.id)
        if window is None:
            window = RateWindow(self._rate_limit, clock=self._clock)
            self._windows[organization.id] = window
        return window

    def metrics_windows(self, organization: SimulatedOrganization) -> tuple[RateWindow, RateWindow]:
        """Return the windows of the Metrics API: of all clients together, of ``organization``."""
        return self._metrics.windows(organization)

    def script(self, request_number: int, *faults: Fault | str, path: str | None = None) -> None:
        """Apply ``faults`` or their SPECs to one request, in addition to the other faults.

        Requests are numbered from 1 in order of arrival since the start or the latest
        :meth:`reset_requests`. With ``path``, only requests to that endpoint are counted. A fault
        for another endpoint does not apply.
        """
        self._selector.script(request_number, faults, path)

    def reset_requests(self) -> None:
        """Clear the recorded requests and the script, and number requests from 1 again."""
        self._log.reset()
        self._selector.clear_script()

    def revoke_tokens(self, pool_id: str) -> None:
        """Make all current bearer tokens of an identity pool invalid."""
        self._sts.revoke_all(pool_id)

    def transport(self) -> httpx.AsyncBaseTransport:
        """Return a transport to this application without a socket."""
        return InProcessTransport(self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan":
            await _serve_lifespan(receive, send)
            return
        request = self._log.record(scope, time=self._clock.monotonic())
        response = await self._respond(request, scope, receive)
        response.headers["X-Request-Id"] = request.request_id
        request.status = response.status
        await response.send(send)

    async def _respond(self, request: ServedRequest, scope: Scope, receive: Receive) -> Response:
        for lifecycle in self._lifecycles:
            lifecycle.advance(request.time, wall=self._clock.wall())
        path = request.path_after(self.options.path_prefix)
        found = await self._receive(path, request, scope, receive)
        if isinstance(found, Response):
            return found
        request.account = found.client
        windows = found.windows
        if not windows and found.organization is not None:
            windows = (self.window(found.organization),)
        taken = [window.take(found.client or "") for window in windows]
        states = [state for state in taken if state is not None]
        if not all(state.accepted for state in states):
            response = found.refuse()
            found.add_headers(response, states)
            return response
        faults = self._selector.select(self.faults, request, path)
        names = {fault.name for fault in faults}
        if "slow" in names:
            await self._clock.sleep(delay_of(faults))
        replaced = replacement(faults, request, render=found.render, refuse=found.refuse)
        response = replaced or found.respond(faults)
        found.add_headers(response, states)
        damage(response, names)
        return response

    async def _receive(
        self, path: str, request: ServedRequest, scope: Scope, receive: Receive
    ) -> Responder | Response:
        """Return how to answer a request to ``path``, or an error."""
        if path in TOKEN_PATHS:
            lifetime = self.options.token_lifetime
            return await self._tokens.receive(path, request, scope, receive, lifetime=lifetime)
        authorization = header(scope, "authorization")
        if path not in METRICS_PATHS:
            return self._responder(request, authorization, partial(self._serve, request))
        serve = await self._metrics.receive(path, request, scope, receive)
        if isinstance(serve, Response):
            return serve
        found = self._responder(request, authorization, serve, render=metrics_error)
        if isinstance(found, Response) or found.organization is None:
            return found
        return replace(
            found,
            windows=self._metrics.windows(found.organization),
            refuse=metrics_too_many_requests,
            add_headers=add_metrics_headers,
        )

    def _responder(
        self,
        request: ServedRequest,
        authorization: str | None,
        serve: Callable[[Account, Collection[Fault]], Response],
        *,
        render: Callable[[Error, str], Response] = error_response,
    ) -> Responder | Response:
        """Return how ``serve`` answers an authenticated request, or a 401."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            account = self._accounts.authenticate(authorization)
            if account is None:
                return render(responses.UNAUTHORIZED, request.request_id)
            return Responder(
                lambda faults: serve(account, faults),
                account.api_key,
                account.organization,
                render,
            )
        pool = self._sts.authenticate(token)
        if pool is None:
            return render(responses.INVALID_TOKEN, request.request_id)

        def respond(faults: Collection[Fault]) -> Response:
            if any(fault.name == "revoked" for fault in faults):
                self._sts.revoke(token)
                return render(responses.INVALID_TOKEN, request.request_id)
            return serve(pool.account, faults)

        return Responder(respond, pool.id, pool.account.organization, render)

    def _serve(
        self, request: ServedRequest, account: Account, faults: Collection[Fault]
    ) -> Response:
        names = {fault.name for fault in faults}
        return self._service.respond(request, account, faults=names, options=self.options)


async def _serve_lifespan(receive: Receive, send: Send) -> None:
    """Acknowledge the server's start and stop."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
