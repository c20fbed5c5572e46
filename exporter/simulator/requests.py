"""Requests as the simulator received them."""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from starlette.types import Scope

_MAX_REQUESTS = 10_000
_MAX_PATHS = 1000
"""Paths whose requests are counted, or a client could fill the memory with new ones."""


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
    """The API key or the identity pool, if it is known and, for a listing, authenticated."""
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


class RequestLog:
    """Numbers and records requests. ``seed`` determines their ids."""

    def __init__(self, *, seed: int) -> None:
        self.requests: deque[ServedRequest] = deque(maxlen=_MAX_REQUESTS)
        self.received = 0
        self._seed = seed
        self._number = 0
        self._numbers: dict[str, int] = {}
        """By path, the most recently requested last."""

    def record(self, scope: Scope, *, time: float) -> ServedRequest:
        """Record a request that arrived at the monotonic ``time``, and return it."""
        self.received += 1
        self._number += 1
        path = scope["path"]
        number_of_path = self._numbers[path] = self._numbers.pop(path, 0) + 1
        if len(self._numbers) > _MAX_PATHS:
            del self._numbers[next(iter(self._numbers))]
        digest = hashlib.blake2b(f"{self._seed} {self.received}".encode(), digest_size=16)
        request = ServedRequest(
            number=self._number,
            number_of_path=number_of_path,
            time=time,
            request_id=digest.hexdigest(),
            method=scope["method"],
            origin=origin_of(scope),
            path=path,
            query_string=scope["query_string"].decode("latin-1"),
            authorized=header(scope, "authorization") is not None,
        )
        self.requests.append(request)
        return request

    def reset(self) -> None:
        """Clear the recorded requests, and number requests from 1 again."""
        self.requests.clear()
        self._number = 0
        self._numbers.clear()


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
