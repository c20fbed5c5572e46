"""What the parts of the simulator need to know of a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request


@dataclass(frozen=True)
class Asked:
    """Where a request went, as its sender wrote it: links in the answer lead to the same host."""

    id: str
    """Its ``X-Request-Id``."""
    method: str
    origin: str
    """Scheme and host."""
    path: str
    query: str
    """Without the question mark; empty if there is none."""
    parameters: tuple[tuple[str, str], ...]
    """The query, decoded; a parameter that was given twice is there twice."""

    @property
    def address(self) -> str:
        """The absolute URL without the query."""
        return self.origin + self.path

    @property
    def target(self) -> str:
        """Path and query."""
        return f"{self.path}?{self.query}" if self.query else self.path

    def path_behind(self, prefix: str) -> str:
        """Return the path without ``prefix``; empty if it does not begin with it."""
        return self.path[len(prefix) :] if self.path.startswith(prefix) else ""


def asked_of(request: Request, *, request_id: str) -> Asked:
    """Return what ``request`` asks, under the id that it was given."""
    scope = request.scope
    host, port = scope.get("server") or ("localhost", None)
    fallback = f"{host}:{port}" if port else f"{host}"
    return Asked(
        id=request_id,
        method=request.method,
        origin=f"{scope['scheme']}://{request.headers.get('host', fallback)}",
        path=scope["path"],
        query=scope["query_string"].decode("latin-1"),
        parameters=tuple(request.query_params.multi_items()),
    )
