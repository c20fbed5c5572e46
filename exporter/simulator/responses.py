"""HTTP responses, and the bodies of errors (``docs/confluent-cloud-api.md#errors``)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Send


@dataclass
class Response:
    """A response that faults may change before it is sent.

    ``breaks``: the connection breaks after half of the body. ``repeated``: headers that are sent
    in addition to ``headers``, also several times.
    """

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    breaks: bool = False
    repeated: list[tuple[str, str]] = field(default_factory=list)

    async def send(self, send: Send) -> None:
        """Send it. If it breaks, leave it incomplete, at which servers drop the connection."""
        headers = {"Content-Length": str(len(self.body)), **self.headers}
        await send(
            {
                "type": "http.response.start",
                "status": self.status,
                "headers": [
                    (name.lower().encode(), value.encode("latin-1"))
                    for name, value in (*headers.items(), *self.repeated)
                ],
            }
        )
        body = self.body[: len(self.body) // 2] if self.breaks else self.body
        await send({"type": "http.response.body", "body": body, "more_body": self.breaks})


def json_response(body: bytes, *, status: int = 200) -> Response:
    """Return a JSON response."""
    return Response(status, body, {"Content-Type": "application/json"})


class Error(NamedTuple):
    """What is the same for all errors of a kind. Empty texts are left out of the body."""

    status: int
    detail: str
    code: str = ""
    title: str = ""
    headers: Mapping[str, str] = {}


INVALID_FILTER = Error(400, "", "invalid_filter", "Invalid Filter")
UNAUTHORIZED = Error(  # seen in practice without code and title
    401,
    "Unauthorized",
    headers={
        "WWW-Authenticate": 'Basic error="invalid_key", error_description="The API Key is invalid"'
    },
)
INVALID_TOKEN = UNAUTHORIZED._replace(
    headers={
        "WWW-Authenticate": 'Bearer error="invalid_token",'
        ' error_description="The token is not valid, or not any more"'
    }
)
INVALID_FORM = Error(400, "", "invalid_request", "Invalid Request")
"""A form that a token endpoint does not accept."""
FORBIDDEN = Error(403, "Forbidden Access", "forbidden_access")
INVALID_API_KEY = Error(403, "invalid API key", "forbidden_access")
"""Invalid credentials as a 403, which only the detail tells from a missing role."""
NOT_FOUND = Error(404, "There is nothing at this path.", "resource_not_found", "Resource not found")
METHOD_NOT_ALLOWED = Error(
    405, "Only GET is supported.", "method_not_allowed", "Method not allowed", {"Allow": "GET"}
)
POST_ONLY = METHOD_NOT_ALLOWED._replace(detail="Only POST is supported.", headers={"Allow": "POST"})
SERVER_ERROR = Error(
    500,
    "The request could not be completed.",
    "internal_server_error",
    "Internal Server Error",
)


def error_response(
    error: Error, request_id: str, *, detail: str = "", parameter: str = ""
) -> Response:
    """Return ``error`` in the envelope of the API. ``parameter`` names the invalid one."""
    members = {
        "id": request_id,
        "status": str(error.status),
        "code": error.code,
        "title": error.title,
        "detail": detail or error.detail,
    }
    body = {name: text for name, text in members.items() if text}
    source = {"parameter": parameter} if parameter else {}
    response = json_response(
        msgspec.json.encode({"errors": [{**body, "source": source}]}), status=error.status
    )
    response.headers |= error.headers
    return response


def too_many_requests() -> Response:
    """Return a 429. Its body is not documented, so it is empty."""
    return Response(429)
