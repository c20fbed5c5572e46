"""``POST /-/reload``, which reloads the configuration files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from exporter.escaping import escaped
from exporter.redaction import redacted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.types import Receive, Scope, Send

_PATH = "/-/reload"
_METHODS = ("POST", "PUT")
_DISABLED = (
    "Reloading over HTTP is disabled. Start the exporter with --web.enable-lifecycle, or send"
    " SIGHUP to it.\n"
)
_WRONG_METHOD = "Use POST or PUT, for example with `curl -X POST`.\n"
_CROSS_SITE = "Pages of other websites cannot reload the configuration.\n"


def reload_route(reload: Callable[[], Awaitable[Sequence[str]]] | None) -> Route:
    """Return the route of ``/-/reload``, which answers 403 if ``reload`` is None.

    ``reload`` returns the problems that it found, none after a success.
    """
    return Route(_PATH, _Reload(reload))


class _Reload:
    """An ASGI application, because Starlette routes only some methods to a function."""

    def __init__(self, reload: Callable[[], Awaitable[Sequence[str]]] | None) -> None:
        self._reload = reload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        response = await self._response(scope["method"], Headers(scope=scope))
        await response(scope, receive, send)

    async def _response(self, method: str, headers: Headers) -> PlainTextResponse:
        if method not in _METHODS:
            return _answer(405, _WRONG_METHOD, allow=", ".join(_METHODS))
        if self._reload is None:
            return _answer(403, _DISABLED)
        if _is_cross_site(headers):
            return _answer(403, _CROSS_SITE)
        if problems := await self._reload():
            return _answer(500, "".join(f"{escaped(redacted(each))}\n" for each in problems))
        return _answer(200, "The configuration was reloaded.\n")


def _is_cross_site(headers: Headers) -> bool:
    """Return whether a page of another site made a browser send this request.

    Browsers send ``Sec-Fetch-Site`` to https and loopback addresses only, but ``Origin`` with every
    request of another site that is not GET or HEAD (Fetch standard, "append a request Origin
    header").
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2] != headers.get("host")


def _answer(status: int, text: str, **headers: str) -> PlainTextResponse:
    return PlainTextResponse(text, status, headers={"Cache-Control": "no-store", **headers})
