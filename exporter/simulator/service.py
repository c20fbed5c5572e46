"""What answers the requests with valid credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection

    from exporter.simulator.accounts import Account
    from exporter.simulator.listings import ApiOptions
    from exporter.simulator.requests import ServedRequest
    from exporter.simulator.responses import Response


class Service(Protocol):
    """Answers the requests that passed authentication and rate limit."""

    def respond(
        self,
        request: ServedRequest,
        account: Account,
        *,
        faults: Collection[str],
        options: ApiOptions,
    ) -> Response:
        """Return the response to ``account``, with the ``faults`` that apply to its content."""
        ...
