"""A week of three simulated organizations, written as the data of a Prometheus.

The real exporter runs over the simulator in virtual time. The week ends at a given Unix time.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from structlog.testing import capture_logs

from exporter import config
from exporter.app import Exporter
from exporter.simulator import (
    Account,
    Lifecycle,
    SimulatedRateLimit,
    Simulator,
    parse_fault,
    seeded_organization,
)
from tests.grafana.recorder import Recorder, Target
from tests.virtual_time import FakeClock, run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0
WEEK = 7 * DAY
_BEFORE = HOUR
"""Seconds recorded before the week, for queries that compare with its beginning."""
SCRAPE = 4 * MINUTE
"""Seconds between two scrapes; shorter than the look-back of Prometheus."""
_INSTANCE = "exporter:10049"
_KEYS = {"acme": 420, "globex": 170, "initech": 60}
_SPEEDS = {"acme": 0.5, "globex": 0.8, "initech": 1.0}
_LIMIT = SimulatedRateLimit(120, MINUTE)
_RESTARTED = 2.6 * DAY
"""Seconds before the end at which the exporter is restarted."""
_OUTAGES = ((5.2 * DAY, 2.5 * HOUR), (15 * HOUR, 1.5 * HOUR))
"""When the API begins to fail, in seconds before the end, and for how long."""
_LATENCIES = ("slow:0.6s:0.05", "slow:0.3s:0.3", "slow:0.15s")
_FAULTS = ("500:0.15", "429:10s:0.1", "slow:2s:0.3")
_REVOKED = 35 * MINUTE
"""Seconds before the end at which ``initech`` loses its role."""
_CONFIGURATION = """\
defaults:
  url: {url}
  refresh_interval: 15m
  names: {{users: true}}
  usage: {{enabled: true, url: {url}}}
  policy: {{unused_for: 5d}}
organizations:
- {{name: acme, credentials: {{api_key: acme, api_secret_env: SECRET}}}}
- {{name: globex, credentials: {{api_key: globex, api_secret_env: SECRET}}}}
- {{name: initech, credentials: {{api_key: initech, api_secret_env: SECRET}}}}
teams:
- {{name: payments, owners: ["sa-0*", "sa-1*", "sa-2*", "sa-3*", "sa-4*", "sa-s*", "sa-t*"]}}
- {{name: analytics, owners: ["sa-5*", "sa-6*", "sa-a*", "sa-b*", "sa-c*", "sa-d*", "sa-p*"]}}
- {{name: platform, owners: ["sa-7*", "sa-8*", "sa-e*", "sa-f*", "sa-g*", "sa-h*", "sa-j*"]}}
"""


def record_week(folder: Path, *, until: float) -> None:
    """Write the week that ends at the Unix time ``until`` to ``folder / "data"``."""
    began = until - WEEK - _BEFORE
    accounts = {
        name: Account(name, "SECRET", seeded_organization(seed=seed, keys=keys, now=began))
        for seed, (name, keys) in enumerate(_KEYS.items())
    }
    # The log lines of a week are collected rather than printed.
    with Recorder(folder) as recorder, capture_logs():
        run(_live(accounts, recorder, until=until))


async def _live(accounts: Mapping[str, Account], recorder: Recorder, *, until: float) -> None:
    clock = FakeClock(wall=until - WEEK - _BEFORE)
    simulator = Simulator(
        accounts.values(),
        clock=clock,
        rate_limit=_LIMIT,
        lifecycles=[
            Lifecycle(account.organization, seed=seed, speed=_SPEEDS[name])
            for seed, (name, account) in enumerate(accounts.items())
        ],
    )
    settings = config.parse(
        _CONFIGURATION.format(url="http://127.0.0.1:1"),
        file="pictures",
        folder=Path(),
        environ={"SECRET": "SECRET"},
    )

    def target(seed: int) -> Target:
        exporter = Exporter(
            settings,
            clock=clock,
            random=Random(seed),
            transport=lambda _: simulator.transport(),
            web_config_file=True,
        )
        return Target(_INSTANCE, exporter, started=clock.wall())

    async def scrapes(targets: Sequence[Target], *, before: float) -> None:
        """Scrape until ``before`` seconds before the end."""
        while clock.wall() + SCRAPE <= until - before:
            await clock.sleep(SCRAPE)
            recorder.scrape(targets, at=clock.wall())

    async def with_outage(targets: Sequence[Target], *, start: float, seconds: float) -> None:
        """Scrape until the API fails, and then until it has recovered."""
        await scrapes(targets, before=start)
        simulator.faults[:] = map(parse_fault, (*_FAULTS, *_LATENCIES))
        await scrapes(targets, before=start - seconds)
        simulator.faults[:] = map(parse_fault, _LATENCIES)

    simulator.faults[:] = map(parse_fault, _LATENCIES)
    (first, first_seconds), (second, second_seconds) = _OUTAGES
    exporter = target(1)
    async with exporter.exporter.running():
        await with_outage([exporter], start=first, seconds=first_seconds)
        await scrapes([exporter], before=_RESTARTED)
    exporter = target(2)
    async with exporter.exporter.running():
        await with_outage([exporter], start=second, seconds=second_seconds)
        await scrapes([exporter], before=_REVOKED)
        accounts["initech"].role = "none"
        await scrapes([exporter], before=0)
