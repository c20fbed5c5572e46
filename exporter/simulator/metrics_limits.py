"""The errors and the rate-limit headers of the Metrics API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from exporter.simulator.responses import INVALID_API_KEY, Error, json_response

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.simulator.rate_limit import WindowState
    from exporter.simulator.responses import Response

METRICS_HEADERS = ("rateLimit-limit", "rateLimit-remaining", "rateLimit-reset")
TOO_MANY_REQUESTS = Error(
    429, "Too many requests have been made for the following resources: kafka.id:lkc-12345"
)
"""The documented body; it is the same for all resources here."""


def metrics_error(error: Error, request_id: str, *, detail: str = "") -> Response:
    """Return ``error`` in the envelope of the Metrics API.

    An invalid API key is reported in an older envelope, as it was seen.
    """
    if error is INVALID_API_KEY:
        old = {"error": {"code": error.status, "message": error.detail}}
        return json_response(msgspec.json.encode(old), status=error.status)
    members = {"id": request_id, "status": str(error.status), "code": error.code}
    body = {name: text for name, text in members.items() if text}
    body["detail"] = detail or error.detail
    response = json_response(msgspec.json.encode({"errors": [body]}), status=error.status)
    response.headers |= error.headers
    return response


def metrics_too_many_requests() -> Response:
    """Return a 429. ``Retry-After`` is not documented, so it has none."""
    return metrics_error(TOO_MANY_REQUESTS, "")


def add_metrics_headers(response: Response, windows: Sequence[WindowState]) -> None:
    """Add one set of rate-limit headers for each of ``windows`` to a 2xx or a 429."""
    if response.status == 429 or 200 <= response.status < 300:  # noqa: PLR2004 # rate-limited; success
        response.repeated += [
            (name, str(value))
            for window in windows
            for name, value in zip(
                METRICS_HEADERS, (window.limit, window.remaining, window.reset), strict=True
            )
        ]
