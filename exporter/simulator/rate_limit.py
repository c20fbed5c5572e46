"""Fixed rate-limit windows (``docs/confluent-cloud-api.md#rate-limits``)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.clock import Clock
    from exporter.simulator.flags import SimulatedRateLimit
    from exporter.simulator.responses import Response

_MAX_WINDOWS = 1000
_DEFAULT_SECONDS = 60.0


@dataclass(frozen=True)
class WindowState:
    """A window after a request. ``reset``: whole seconds until it ends."""

    accepted: bool
    limit: int
    remaining: int
    reset: int

    def headers(self, *, refused: bool) -> dict[str, str]:
        """Return the headers of a response: nothing remains after a refused request."""
        headers = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": "0" if refused else str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
        }
        return {**headers, "Retry-After": str(self.reset)} if refused else headers


@dataclass
class Tally:
    """Numbers of requests."""

    accepted: int = 0
    refused: int = 0


class RateWindow:
    """The budget of requests that all clients of an organization share.

    A window starts at each multiple of the limit's seconds in monotonic time. Without a limit, all
    requests are accepted and counted in windows of a minute. The latest 1,000 windows with requests
    are kept.
    """

    def __init__(self, rate_limit: SimulatedRateLimit | None, *, clock: Clock) -> None:
        self.limit = None if rate_limit is None else rate_limit.limit
        self._seconds = _DEFAULT_SECONDS if rate_limit is None else rate_limit.seconds
        self._clock = clock
        self._tallies: dict[int, dict[str, Tally]] = {}

    def take(self, client: str) -> WindowState | None:
        """Count a request of ``client``; return None if there is no limit."""
        now = self._clock.monotonic()
        number = math.floor(now / self._seconds)
        clients = self._tallies.setdefault(number, {})
        if len(self._tallies) > _MAX_WINDOWS:
            del self._tallies[next(iter(self._tallies))]
        tally = clients.setdefault(client, Tally())
        if self.limit is None:
            tally.accepted += 1
            return None
        spent = sum(each.accepted for each in clients.values())
        accepted = spent < self.limit
        if accepted:
            tally.accepted += 1
        else:
            tally.refused += 1
        return WindowState(
            accepted=accepted,
            limit=self.limit,
            remaining=self.limit - spent - 1 if accepted else 0,
            reset=max(1, math.ceil((number + 1) * self._seconds - now)),
        )

    def spend(self, number: int, *, client: str = "others") -> int:
        """Make ``number`` requests of another client; return how many of them were refused."""
        states = [self.take(client) for _ in range(number)]
        return sum(state is not None and not state.accepted for state in states)

    def windows(self) -> dict[int, dict[str, Tally]]:
        """Return the tallies by number of the window (monotonic time // seconds) and by client."""
        return {number: {**clients} for number, clients in self._tallies.items()}

    def tally(self, client: str) -> Tally:
        """Return the requests of ``client`` in all windows together."""
        tallies = [clients[client] for clients in self._tallies.values() if client in clients]
        return Tally(sum(t.accepted for t in tallies), sum(t.refused for t in tallies))


def add_rate_limit_headers(response: Response, windows: Sequence[WindowState]) -> None:
    """Add the headers of the window, if any, to a 2xx or a 429. Every 429 has ``Retry-After``."""
    window = windows[0] if windows else None
    refused = response.status == 429  # noqa: PLR2004 # Too Many Requests
    if window is not None and (refused or 200 <= response.status < 300):  # noqa: PLR2004 # success
        response.headers = {**window.headers(refused=refused), **response.headers}
    elif refused:
        response.headers.setdefault("Retry-After", "1")
