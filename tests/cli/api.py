"""A simulated API for the commands, served from a thread."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from exporter.clock import SystemClock
from exporter.simulator import Account, Simulator, seeded_organization
from tests.harness import API_KEY, SECRET
from tests.programs import served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.clock import Clock
    from exporter.simulator import SimulatedRateLimit

ENVIRON = {"CONFLUENT_CLOUD_API_KEY": API_KEY, "CONFLUENT_CLOUD_API_SECRET": SECRET}
"""What the commands need to know to use it."""


@contextmanager
def api(
    *, keys: int, rate_limit: SimulatedRateLimit | None = None, clock: Clock | None = None
) -> Iterator[str]:
    """Serve an organization of so many ``keys`` while the context is open; yield the URL."""
    clock = clock or SystemClock()
    organization = seeded_organization(seed=1, keys=keys, now=clock.wall())
    simulator = Simulator(
        [Account(API_KEY, SECRET, organization)], clock=clock, rate_limit=rate_limit
    )
    with served(simulator) as url:
        yield url
