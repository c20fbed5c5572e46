"""How an authenticated request is answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.simulator.rate_limit import add_rate_limit_headers
from exporter.simulator.responses import Error, Response, error_response, too_many_requests

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from exporter.simulator.flags import Fault
    from exporter.simulator.organization import SimulatedOrganization
    from exporter.simulator.rate_limit import RateWindow, WindowState


@dataclass(frozen=True)
class Responder:
    """Answers one request, unless a rate limit or a fault prevents it."""

    respond: Callable[[Collection[Fault]], Response]
    """Returns the response with the faults that apply to its content."""
    client: str | None = None
    """The API key or identity pool that the request is counted for."""
    organization: SimulatedOrganization | None = None
    """The organization with the rate limit; None for no limit."""
    render: Callable[[Error, str], Response] = error_response
    """Returns the response for an error and the id of the request."""
    windows: tuple[RateWindow, ...] = ()
    """What the request is counted in, instead of the window of the organization."""
    refuse: Callable[[], Response] = too_many_requests
    """Returns the response to a request above a rate limit."""
    add_headers: Callable[[Response, Sequence[WindowState]], None] = add_rate_limit_headers
