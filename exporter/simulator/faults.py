"""The effects of the faults, which :mod:`exporter.simulator.flags` describes."""

from __future__ import annotations

import gzip
import math
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlencode
from zlib import crc32

from exporter.simulator import responses
from exporter.simulator.metrics_limits import METRICS_HEADERS
from exporter.simulator.paging import page_token, page_url
from exporter.simulator.responses import Response, error_response

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from exporter.simulator.flags import Fault
    from exporter.simulator.paging import Predicate, Query
    from exporter.simulator.requests import ServedRequest
    from exporter.simulator.responses import Error

T = TypeVar("T")

_DEFAULT_DELAY = 2.0
_FOREIGN_ORIGIN = "https://elsewhere.invalid"
_HTML = b"<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head><body></body></html>\n"
_ERRORS = {
    "500": responses.SERVER_ERROR,
    "401": responses.UNAUTHORIZED,
    "403": responses.FORBIDDEN,
    "forbidden-key": responses.INVALID_API_KEY,
}
_GARBLED_HEADERS = {
    "X-RateLimit-Limit": "many",
    "X-RateLimit-Remaining": "few",
    "X-RateLimit-Reset": "1e999",
}


def delay_of(faults: Iterable[Fault]) -> float:
    """Return the seconds by which a response is delayed."""
    return sum(
        _DEFAULT_DELAY if fault.seconds is None else fault.seconds
        for fault in faults
        if fault.name == "slow"
    )


def replacement(
    faults: Iterable[Fault],
    request: ServedRequest,
    *,
    render: Callable[[Error, str], Response] = error_response,
    refuse: Callable[[], Response] = responses.too_many_requests,
) -> Response | None:
    """Return the response of the first fault that replaces the regular one, if any.

    ``render``: returns the response for an error and the id of the request. ``refuse``: returns the
    response to a request above a rate limit.
    """
    found = (_replacement(fault, request, render, refuse) for fault in faults)
    return next((response for response in found if response is not None), None)


def _replacement(
    fault: Fault,
    request: ServedRequest,
    render: Callable[[Error, str], Response],
    refuse: Callable[[], Response],
) -> Response | None:
    if fault.name in _ERRORS:
        return render(_ERRORS[fault.name], request.request_id)
    match fault.name:
        case "429":
            response = refuse()
            if fault.seconds is not None:
                response.headers["Retry-After"] = str(math.ceil(fault.seconds))
            return response
        case "html502":
            return Response(502, _HTML, {"Content-Type": "text/html"})
        case "gzip-error":
            response = render(responses.SERVER_ERROR, request.request_id)
            return replace(response, body=gzip.compress(response.body, mtime=0))
        case "array":
            return responses.json_response(b"[]")
        case "redirect":
            origin = _FOREIGN_ORIGIN if fault.foreign else request.origin
            query = f"?{request.query_string}" if request.query_string else ""
            return Response(307, headers={"Location": f"{origin}{request.path}{query}"})
    return None


def shrunk(visible: Predicate[T], sort_key: Callable[[T], str]) -> Callable[[T], bool]:
    """Return a predicate that hides about half of what ``visible`` shows, always the same half."""
    return lambda record: (
        crc32(sort_key(record).encode()) % 2 == 0 and (visible is None or visible(record))
    )


def next_link(
    faults: Collection[str], request: ServedRequest, query: Query[T], token: str | None
) -> str | None:
    """Return ``metadata.next`` as changed by ``faults``. ``token``: of the next page, if any.

    ``loop`` leads to the same page again.
    """
    if "loop" in faults:
        return page_url(request.url, query, page_token(query.after))
    if "notoken" in faults:
        return f"{request.url}?{urlencode({'page_size': query.page_size})}"
    if token is None:
        return None
    url = _FOREIGN_ORIGIN + request.path if "foreign-next" in faults else request.url
    return page_url(url, query, token)


def token_fields(fields: Mapping[str, object], faults: Iterable[Fault]) -> dict[str, object]:
    """Return the fields of the response of a token endpoint as changed by ``faults``."""
    changed = dict(fields)
    for fault in faults:
        match fault.name:
            case "expires-in" if fault.value == "missing":
                changed.pop("expires_in", None)
            case "expires-in":
                values = {"string": str(fields["expires_in"]), "zero": 0, "negative": -1}
                changed["expires_in"] = values.get(fault.value)
            case "token-type":
                changed["token_type"] = "MAC"  # noqa: S105 # a type
            case "no-access-token":
                changed.pop("access_token", None)
            case "extra-fields":
                changed |= {"refresh_expires_in": 0, "not-before-policy": {"nested": [None]}}
    return changed


def damage(response: Response, faults: Collection[str]) -> None:
    """Apply the faults that change a finished response."""
    if "truncated" in faults:
        response.body = response.body[: len(response.body) // 2]
    if "reset" in faults:
        response.breaks = True
    if "no-headers" in faults or "garbled-headers" in faults:
        garbled = dict(zip(METRICS_HEADERS, _GARBLED_HEADERS.values(), strict=True))
        response.repeated = [
            (name, garbled[name]) for name, _ in response.repeated if "garbled-headers" in faults
        ]
        retry_after = response.headers.pop("Retry-After", None)
        for name in _GARBLED_HEADERS:
            response.headers.pop(name, None)
        if "garbled-headers" in faults:
            if not response.repeated:
                response.headers |= _GARBLED_HEADERS
            if retry_after is not None:
                response.headers["Retry-After"] = "soon"
