"""Fixed windows of requests, and how the API speaks of them (facts §1.8)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.simulator.durations import parse_duration

if TYPE_CHECKING:
    from exporter.clock import Clock

_REMEMBERED_WINDOWS = 1000
_RATE = re.compile(r"(\d{1,9})/(\S+)")


@dataclass(frozen=True)
class RateLimit:
    """At most ``limit`` requests in each ``seconds``."""

    limit: int
    seconds: float

    def __post_init__(self) -> None:
        if self.limit < 1 or not 0 < self.seconds < math.inf:
            raise ValueError("a rate limit is at least 1 request per more than 0 seconds")


def parse_rate_limit(text: str) -> RateLimit:
    """Return the limit that ``120/60s`` stands for. Raises ``ValueError`` with a sentence."""
    match = _RATE.fullmatch(text)
    seconds = parse_duration(match[2]) if match else None
    if match is None or not seconds or int(match[1]) == 0:
        raise ValueError(f"{text!r} is not a rate limit; write requests/duration, such as 120/60s")
    return RateLimit(int(match[1]), seconds)


@dataclass(frozen=True)
class Said:
    """What a response may say of the window: counts, and the whole seconds until it ends."""

    accepted: bool
    limit: int
    remaining: int
    reset: int

    def headers(self) -> dict[str, str]:
        """Return the headers of a 2xx or, with ``Retry-After``, of a 429."""
        headers = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
        }
        return headers if self.accepted else {**headers, "Retry-After": str(self.reset)}


@dataclass
class Tally:
    """Requests of one client, in one window or in all of them."""

    accepted: int = 0
    refused: int = 0


class RateWindow:
    """One budget of requests, shared by every client that spends from it.

    Windows are fixed: they begin at the multiples of ``seconds`` of the monotonic time. ``limit``
    None accepts everything, says nothing, and still counts. What happened is remembered for the
    latest thousand windows in which there was a request.
    """

    def __init__(self, limit: int | None, seconds: float, *, clock: Clock) -> None:
        self.limit = limit
        self.seconds = seconds
        self._clock = clock
        self._tallies: dict[int, dict[str, Tally]] = {}

    def take(self, client: str) -> Said | None:
        """Count one request of ``client``; None where there is no limit to speak of."""
        now = self._clock.monotonic()
        window = math.floor(now / self.seconds)
        tally = self._tally(window, client)
        if self.limit is None:
            tally.accepted += 1
            return None
        spent = self._spent(window)
        accepted = spent < self.limit
        if accepted:
            tally.accepted += 1
        else:
            tally.refused += 1
        return Said(
            accepted=accepted,
            limit=self.limit,
            remaining=self.limit - spent - 1 if accepted else 0,
            reset=max(1, math.ceil((window + 1) * self.seconds - now)),
        )

    def spend(self, n: int, *, client: str = "others") -> int:
        """Make ``n`` requests as somebody else does; return how many of them were refused."""
        verdicts = [self.take(client) for _ in range(n)]
        return sum(said is not None and not said.accepted for said in verdicts)

    def windows(self) -> dict[int, dict[str, Tally]]:
        """The tallies by number of the window (monotonic time // ``seconds``) and by client."""
        return {window: {**clients} for window, clients in self._tallies.items()}

    def tally(self, client: str) -> Tally:
        """Return the requests of ``client`` in all windows together."""
        own = [clients[client] for clients in self._tallies.values() if client in clients]
        return Tally(sum(t.accepted for t in own), sum(t.refused for t in own))

    def _spent(self, window: int) -> int:
        return sum(tally.accepted for tally in self._tallies[window].values())

    def _tally(self, window: int, client: str) -> Tally:
        clients = self._tallies.setdefault(window, {})
        if len(self._tallies) > _REMEMBERED_WINDOWS:
            del self._tallies[next(iter(self._tallies))]
        return clients.setdefault(client, Tally())
