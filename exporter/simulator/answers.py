"""Answers as bytes, and the bodies of the errors (facts §1.7)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from starlette.types import Send

_JSON = "application/json"


@dataclass
class Answer:
    """One response, still to be changed by faults, then sent."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    breaks: bool = False
    """Whether the connection breaks half-way through the body."""

    async def send(self, send: Send) -> None:
        """Send it; if it breaks, return without an end, at which servers drop the connection."""
        headers = {"Content-Length": str(len(self.body)), **self.headers}
        await send(
            {
                "type": "http.response.start",
                "status": self.status,
                "headers": [
                    (name.lower().encode(), value.encode("latin-1"))
                    for name, value in headers.items()
                ],
            }
        )
        body = self.body[: len(self.body) // 2] if self.breaks else self.body
        await send({"type": "http.response.body", "body": body, "more_body": self.breaks})


def json_answer(body: bytes, *, status: int = 200) -> Answer:
    """Return an answer that is JSON."""
    return Answer(status, body, {"Content-Type": _JSON})


def failure(
    status: int,
    *,
    request_id: str,
    detail: str,
    code: str | None = None,
    title: str | None = None,
    parameter: str | None = None,
) -> Answer:
    """Return an error in the envelope of the API: one entry, without the members that are None."""
    error: dict[str, object] = {"id": request_id, "status": str(status)}
    if code is not None:
        error["code"] = code
    if title is not None:
        error["title"] = title
    error["detail"] = detail
    error["source"] = {} if parameter is None else {"parameter": parameter}
    return json_answer(msgspec.json.encode({"errors": [error]}), status=status)


def bad_parameter(request_id: str, parameter: str, detail: str) -> Answer:
    """Return the 400 for a query that cannot be served."""
    return failure(
        400,
        request_id=request_id,
        code="invalid_filter",
        title="Invalid Filter",
        detail=detail,
        parameter=parameter,
    )


def unauthorized(request_id: str) -> Answer:
    """Return the 401 in the short form that is seen in practice: no code, no title."""
    answer = failure(401, request_id=request_id, detail="Unauthorized")
    answer.headers["WWW-Authenticate"] = (
        'Basic error="invalid_key", error_description="The API Key is invalid"'
    )
    return answer


def forbidden(request_id: str) -> Answer:
    """Return the 403 for a role that does not suffice."""
    return failure(403, request_id=request_id, code="forbidden_access", detail="Forbidden Access")


def invalid_api_key(request_id: str) -> Answer:
    """Return the 403 that really is about the credentials: told by the words of its detail."""
    return failure(403, request_id=request_id, code="forbidden_access", detail="invalid API key")


def not_found(request_id: str) -> Answer:
    """Return the 404 for a path that is not served."""
    return failure(
        404,
        request_id=request_id,
        code="resource_not_found",
        title="Resource not found",
        detail="There is nothing at this path.",
    )


def method_not_allowed(request_id: str) -> Answer:
    """Return the 405 for anything that is not read."""
    answer = failure(
        405,
        request_id=request_id,
        code="method_not_allowed",
        title="Method not allowed",
        detail="This path can only be read.",
    )
    answer.headers["Allow"] = "GET"
    return answer


def server_error(request_id: str) -> Answer:
    """Return a 500."""
    return failure(
        500,
        request_id=request_id,
        code="internal_server_error",
        title="Internal Server Error",
        detail="The request could not be completed.",
    )


def too_many_requests() -> Answer:
    """Return a 429; its body is undocumented, and so empty here."""
    return Answer(429)
