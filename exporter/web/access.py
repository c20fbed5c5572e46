"""Applies the web configuration to requests: rate limit, response headers, users."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

import structlog

from exporter.web.basic_auth import CHALLENGE, parse_authorization
from exporter.web.log_limit import LogLimit
from exporter.web.passwords import Passwords, Verdict
from exporter.web.rate_limit import TokenBucket

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from exporter.config.web_values import WebConfig, WebRateLimit
    from exporter.web.basic_auth import Credentials

PROBES = frozenset({"/-/healthy", "/-/ready"})
"""Paths that need no user. Their responses contain nothing about API keys."""
_POLICY = b"content-security-policy"
_BUSY = 1  # seconds after which a client may try again

log = structlog.get_logger(__name__)


def restricted(
    app: ASGIApp,
    settings: Callable[[], Awaitable[WebConfig]],
    *,
    users: Passwords,
    on_failure: Callable[[], None],
) -> ASGIApp:
    """Return ``app`` with the web configuration applied.

    ``settings``: returns the current configuration; called for every request.
    ``on_failure``: called for every request with wrong credentials, not for those without any.

    The headers of the configuration are added to every response. They replace headers of the same
    name, except that a page's own Content-Security-Policy is also sent. Browsers enforce both, so
    the configuration can only make it stricter.
    """
    return _Restricted(app, settings, users, on_failure)


class _Restricted:
    def __init__(
        self,
        app: ASGIApp,
        settings: Callable[[], Awaitable[WebConfig]],
        users: Passwords,
        on_failure: Callable[[], None],
    ) -> None:
        self._app, self._settings = app, settings
        self._users, self._on_failure = users, on_failure
        self._config: WebConfig | None = None
        self._headers: dict[bytes, bytes] = {}
        self._limit: WebRateLimit | None = None
        self._bucket: TokenBucket | None = None
        self._log_limit = LogLimit()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        config = await self._settings()
        if config is not self._config:
            self._apply(config)
        if not self._headers:
            await self._answer(config, scope, receive, send)
            return
        response = _Response(self._headers, send)
        try:
            await self._answer(config, scope, receive, response.send)
        except Exception:
            if not response.started:
                close = (b"connection", b"close")
                await _refuse(response.send, 500, "Internal Server Error.", close)
            raise

    def _apply(self, config: WebConfig) -> None:
        self._config = config
        self._headers = {
            name.lower().encode(): value.strip().encode()
            for name, value in config.headers.items()
            if value.strip()  # blank ones are unset, as in exporter-toolkit
        }
        if config.rate_limit != self._limit:
            self._limit = limit = config.rate_limit
            self._bucket = None
            if limit is not None and limit.interval > 0:
                now = asyncio.get_running_loop().time()
                self._bucket = TokenBucket(interval=limit.interval, burst=limit.burst, now=now)

    async def _answer(self, config: WebConfig, scope: Scope, receive: Receive, send: Send) -> None:
        if self._bucket is not None:
            wait = self._bucket.take(asyncio.get_running_loop().time())
            if wait > 0:
                await _refuse_for(
                    send, wait, "Too Many Requests. The web configuration limits their rate."
                )
                return
        if not config.users or scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        values = [value for name, value in scope["headers"] if name == b"authorization"]
        credentials = parse_authorization(values)
        if credentials is not None and self._users.remembers(config.users, credentials):
            await self._app(scope, receive, send)
            return
        verdict = await self._verify(config.users, credentials, scope, receive)
        if verdict is Verdict.RIGHT:
            await self._app(scope, receive, send)
        elif verdict is Verdict.NOT_CHECKED:
            await _refuse_for(
                send, _BUSY, "Too Many Requests. Too many passwords wait to be checked."
            )
        else:
            if values:
                self._on_failure()
                self._log_failure(_client(scope), credentials, config.users)
            await _refuse(
                send, 401, "Unauthorized. A user name and a password are required.", CHALLENGE
            )

    async def _verify(
        self,
        users: Mapping[str, str],
        credentials: Credentials | None,
        scope: Scope,
        receive: Receive,
    ) -> Verdict:
        if credentials is None:
            return Verdict.WRONG
        return await self._users.verify(
            users,
            credentials,
            client=_client(scope),
            disconnected=lambda: _disconnected(receive),
        )

    def _log_failure(
        self, client: str, credentials: Credentials | None, users: Mapping[str, str]
    ) -> None:
        omitted = self._log_limit.request()
        if omitted is None:
            return
        # Other names are not logged, because users may enter their password instead of their name.
        user = {"user": credentials.user} if credentials and credentials.user in users else {}
        log.warning("authentication failed", client=client, **user, **omitted)


class _Response:
    """Adds headers to a response."""

    def __init__(self, headers: Mapping[bytes, bytes], send: Send) -> None:
        self._headers, self._send = headers, send
        self.started = False

    async def send(self, message: Message) -> None:
        """Send a part of the response."""
        if not self.started:
            self.started = True
            kept = [
                header
                for header in message.get("headers", ())
                if header[0] == _POLICY or header[0] not in self._headers
            ]
            message["headers"] = [*kept, *self._headers.items()]
        await self._send(message)


def _client(scope: Scope) -> str:
    address = scope.get("client")
    return address[0] if address else ""


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _refuse_for(send: Send, seconds: float, text: str) -> None:
    retry_after = (b"retry-after", b"%d" % max(1, math.ceil(seconds)))
    await _refuse(send, 429, text, retry_after)


async def _refuse(send: Send, status: int, text: str, *headers: tuple[bytes, bytes]) -> None:
    body = f"{text}\n".encode()
    own = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"x-content-type-options", b"nosniff"),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": [*own, *headers]})
    await send({"type": "http.response.body", "body": body, "more_body": False})
