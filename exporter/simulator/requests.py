"""Requests as the simulator received them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from starlette.types import Scope


@dataclass
class ServedRequest:
    """A request and its outcome. Its credentials are not recorded."""

    number: int
    """Counted from 1 since the start or the latest reset."""
    number_of_path: int
    """As ``number``, counting only requests to the same path."""
    time: float
    """Monotonic seconds at its arrival."""
    request_id: str
    method: str
    origin: str
    """Scheme and host as the client wrote them; links in the response lead to the same host."""
    path: str
    query_string: str
    authorized: bool
    """Whether there was an ``Authorization`` header."""
    account: str | None = None
    """The API key, if its credentials were accepted."""
    status: int | None = None
    """None while unanswered, which it remains if the client disconnects."""

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """The decoded query, in order and with repetitions."""
        return parse_qsl(self.query_string, keep_blank_values=True)

    @property
    def query(self) -> dict[str, str]:
        """The decoded query; the last value of a repeated parameter."""
        return dict(self.parameters)

    @property
    def url(self) -> str:
        """The absolute URL without the query."""
        return self.origin + self.path

    def path_after(self, prefix: str) -> str:
        """Return the path without ``prefix``; empty if it does not start with it."""
        return self.path[len(prefix) :] if self.path.startswith(prefix) else ""


def header(scope: Scope, name: str) -> str | None:
    """Return the value of a request header, given its name in lower case."""
    encoded = name.encode()
    for key, value in scope["headers"]:
        if key == encoded:
            return str(value, "latin-1")
    return None


def origin_of(scope: Scope) -> str:
    """Return scheme and host of a request, as in its ``Host`` header."""
    return f"{scope['scheme']}://{header(scope, 'host') or 'localhost'}"
