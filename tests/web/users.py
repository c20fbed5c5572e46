"""Users, passwords and an application behind :func:`exporter.web.access.restricted`."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import bcrypt
import httpx
from starlette.responses import PlainTextResponse

from exporter.config.web_values import WebConfig, WebRateLimit
from exporter.web.access import restricted
from exporter.web.passwords import Passwords
from tests.web.sockets import serving
from tests.web.tls import usual

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from starlette.types import Receive, Scope, Send

    from tests.web.sockets import Serving

ALICE, BOB = ("alice", "alice123"), ("bob", "bob-password")


def hashed(password: str, *, cost: int = 4) -> str:
    """Return a bcrypt hash, by default of the lowest cost, which is fast."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


USERS = {user: hashed(password) for user, password in (ALICE, BOB)}


def authorization(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


class Counting:
    """A comparison that counts its calls by cost."""

    def __init__(self, compare: Callable[[bytes, bytes], bool] = bcrypt.checkpw) -> None:
        self._compare = compare
        self.costs: Counter[int] = Counter()

    def __call__(self, password: bytes, hashed: bytes) -> bool:
        self.costs[int(hashed[4:6])] += 1
        return self._compare(password, hashed)

    @property
    def calls(self) -> int:
        return self.costs.total()


class Door:
    """An application with a web configuration that can be changed."""

    def __init__(
        self,
        users: Mapping[str, str] = USERS,
        *,
        headers: Mapping[str, str] | None = None,
        rate_limit: WebRateLimit | None = None,
        compare: Callable[[bytes, bytes], bool] = bcrypt.checkpw,
    ) -> None:
        self.config = WebConfig(users=users, headers=headers or {}, rate_limit=rate_limit)
        self.compare = Counting(compare)
        self.failures = 0
        self.reached: list[tuple[str, str]] = []
        self.app = restricted(
            self._application,
            self._settings,
            users=Passwords(compare=self.compare),
            on_failure=self._failed,
        )

    def change(self, **changes: Any) -> None:
        self.config = replace(self.config, **changes)

    async def _settings(self) -> WebConfig:
        await asyncio.sleep(0)  # it may read a file
        return self.config

    def _failed(self) -> None:
        self.failures += 1

    async def _application(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.reached.append((scope["method"], scope["path"]))
        if scope["path"] == "/error":
            raise RuntimeError("an error of the application")
        headers = {"Content-Security-Policy": "default-src 'none'", "X-Frame-Options": "sameorigin"}
        await PlainTextResponse("Hello.\n", headers=headers)(scope, receive, send)


@asynccontextmanager
async def visiting(
    door: Door, transport: str = "http"
) -> AsyncIterator[tuple[Serving, httpx.AsyncClient]]:
    """Serve ``door``; yield the server and a client that opens any number of connections."""
    tls = usual(transport)
    async with serving(door.app, tls=tls) as server:
        host, port = server.address
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=f"{transport}://{host}:{port}",
            verify=True if tls is None else tls.client,
            limits=limits,
            timeout=20,
            trust_env=False,
        ) as client:
            yield server, client
