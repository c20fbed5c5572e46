"""Days of exporters' lives, as the past of a real Prometheus.

Nobody can tell a real Prometheus another time, so the days end at the present. The real exporter
lives them over the simulator in virtual time; what its ``/metrics`` serves is kept every four
minutes, with what a scrape adds; ``promtool`` makes blocks of it. A Prometheus that is started on
them continues to scrape: :func:`going_on` serves the same organizations through the real command.

One thing is not as it would be: a series that ends has no mark of it, so that Prometheus believes
in it for the minutes of its look-back. The present begins later than that.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from structlog.testing import capture_logs

from exporter import config
from exporter.app import Exporter
from exporter.clock import SystemClock
from exporter.simulator import (
    Account,
    Lifecycle,
    SimulatedOrganization,
    SimulatedRateLimit,
    SimulatedUsage,
    Simulator,
    Workload,
    parse_fault,
    seeded_organization,
)
from tests.grafana.recorder import Recorder, Target
from tests.programs import EXPORTER, printed, served, started
from tests.virtual_time import FakeClock, run, unmeasured

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from exporter.simulator import ServedRequest

TEAM = "core"
MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0
DAYS = 2 * DAY
SCRAPE = 4 * MINUTE
"""Seconds between two scrapes of the past."""
LOOK_BACK = 5 * MINUTE
"""How long Prometheus takes a sample for the present; so much lies between past and present."""
INSTANCE, REPLICA = "exporter:10049", "exporter-2:10049"
LIMIT = SimulatedRateLimit(120, MINUTE)
RESTARTED = 5.5 * HOUR
"""Before the end, as those below: when the exporter was restarted."""
REVOKED = 5 * HOUR
"""When ``broken`` lost its role."""
TROUBLED = 4 * HOUR
"""When the API began to fail now and then, for half an hour."""
RENAMED = 3 * HOUR
"""When everything got another name. The exporter does not know yet at the end, its replica does."""
DOUBLED = 2 * HOUR
"""When the replica was started."""
UNREACHABLE = HOUR
"""When the replica could not be scraped, for ten minutes."""
JOINED = 20 * MINUTE
"""When ``fresh`` joined."""
_EVENTFUL = 5.0  # factor by which keys change more often than in production
_OFF = (
    "{max_age: null, expires_within: null, expired: null, max_keys_per_owner_and_resource: null,"
    " user_owned: null, undescribed: null, unknown_owner: null}"
)
_POLICIES = {"acme": "{unused_for: 3d}", "lenient": _OFF}


@dataclass
class History:
    """What happened, as far as it takes to tell the truth.

    ``acme`` is healthy, has a life and usage, ``broken`` fails from :data:`REVOKED` on, ``empty``
    has no keys, ``fresh`` is new, and ``lenient`` has no policy.
    """

    began: float
    ended: float
    accounts: Mapping[str, Account]
    """By the name of the organization."""
    counts: list[tuple[float, dict[str, int]]] = field(default_factory=list)
    """By organization, at the Unix time of each scrape."""
    requests: list[ServedRequest] = field(default_factory=list)
    """What was asked of the API, at seconds since ``began``."""

    @property
    def organizations(self) -> dict[str, SimulatedOrganization]:
        """The organizations as they are now, by name."""
        return {name: account.organization for name, account in self.accounts.items()}

    @property
    def exempt(self) -> str:
        """The owner whose findings are exempted."""
        return self.accounts["acme"].organization.entities.service_accounts[0].id

    @property
    def of_team(self) -> set[str]:
        """The owners of the only team: every other service account of ``acme``."""
        accounts = self.accounts["acme"].organization.entities.service_accounts
        return {each.id for each in accounts[::2]}

    def configuration(self, names: Iterable[str], *, url: str) -> str:
        """Return the exporter's configuration for the organizations ``names``."""
        entries = "".join(
            f"- name: {name}\n"
            f"  credentials: {{api_key: {name}, api_secret_env: SECRET}}\n"
            f"  policy: {_POLICIES.get(name, '{}')}\n"
            f"  usage: {{enabled: {str(name == 'acme').lower()}, url: '{url}'}}\n"
            f"  refresh_interval: {'15m' if name in {'empty', 'lenient'} else '5m'}\n"
            for name in names
        )
        return (
            "defaults:\n"
            f"  url: {url}\n"
            "  names: {users: true, refresh_interval: 6h}\n"
            "  quotas: {refresh_interval: 1h}\n"
            f"  policy: {{exempt: {{owners: [{self.exempt}]}}}}\n"
            f"organizations:\n{entries}"
            f"teams: [{{name: {TEAM}, owners: [{', '.join(sorted(self.of_team))}]}}]\n"
        )


def lived(folder: Path, *, until: float) -> History:
    """Let the days before the Unix time ``until`` pass; put what was scraped into ``folder``."""
    began = until - DAYS
    organizations = {
        "acme": seeded_organization(seed=0, keys=150, now=began),
        "broken": seeded_organization(seed=1, keys=40, now=began),
        "empty": seeded_organization(seed=2, keys=0, now=began),
        "fresh": _fresh(now=until - JOINED),
        "lenient": seeded_organization(seed=4, keys=10, now=began),
    }
    acme = organizations["acme"]
    for owner in acme.entities.service_accounts[1:6]:
        acme.create(
            owner=owner,
            resources=acme.entities.resources[:1],
            now=began - 80 * DAY,
            expires_at=until + 5 * DAY,
            description="for one quarter",
        )
    acme.usage = _usage(acme, until=until)
    accounts = {name: Account(name, "SECRET", each) for name, each in organizations.items()}
    history = History(began, until, accounts)
    # Thousands of lines of logs are collected rather than formatted and printed.
    with Recorder(folder) as recorder, unmeasured(), capture_logs():
        run(_live(history, recorder))
    return history


def _usage(organization: SimulatedOrganization, *, until: float) -> SimulatedUsage:
    """Return usage in which every third pair of owner and cluster was active on the last days.

    Every third stopped more than four days before the Unix time ``until``, and every third was
    never active. None is active at the end, when two exporters would know different ends of the
    last hour. One cluster has no data at all.
    """
    pairs = sorted(
        {
            (key.owner.id, each.id)
            for key in organization.keys.values()
            for each in key.resources
            if key.owner and each.kind == "kafka"
        }
    )
    hours = [(5, 100)[number % 3] + number % 60 for number in range(len(pairs)) if number % 3 < 2]
    active = [pair for number, pair in enumerate(pairs) if number % 3 < 2]
    return SimulatedUsage(
        (
            Workload(*pair, first=until - 30 * DAY, until=until - ago * HOUR)
            for pair, ago in zip(active, hours, strict=True)
        ),
        silent=[min(cluster for _, cluster in pairs)],
    )


def _fresh(*, now: float) -> SimulatedOrganization:
    """Return an organization that has just begun: a few keys, one of which expires some day."""
    organization = seeded_organization(seed=3, keys=0, now=now)
    entities = organization.entities
    for owner, expires_at in zip(
        entities.service_accounts, (None, now + 60 * DAY, None), strict=False
    ):
        for resource in entities.resources[:2]:
            organization.create(
                owner=owner,
                resources=(resource,),
                now=now - 10 * MINUTE,
                expires_at=expires_at,
                description="the first ones",
            )
    return organization


async def _live(history: History, recorder: Recorder) -> None:
    clock = FakeClock(wall=history.began)
    accounts = history.accounts
    acme, broken = accounts["acme"], accounts["broken"]
    simulator = Simulator(
        accounts.values(),
        clock=clock,
        rate_limit=LIMIT,
        lifecycles=[Lifecycle(acme.organization, seed=1, speed=_EVENTFUL)],
    )

    def configured(*, joined: bool) -> config.Config:
        names = [name for name in accounts if joined or name != "fresh"]
        text = history.configuration(names, url="http://127.0.0.1:1")
        return config.parse(text, file="test", folder=Path(), environ={"SECRET": "SECRET"})

    def target(instance: str, *, seed: int) -> Target:
        exporter = Exporter(
            configured(joined=False),
            clock=clock,
            random=Random(seed),
            transport=lambda _: simulator.transport(),
            web_config_file=True,
        )
        return Target(instance, exporter, started=clock.wall())

    async def scrapes(*targets: Target, before: float) -> None:
        """Scrape ``targets`` until ``before`` seconds before the end."""
        while clock.wall() + SCRAPE <= history.ended - before:
            await clock.sleep(SCRAPE)
            recorder.scrape(targets, at=clock.wall())
            counts = {name: len(each.keys) for name, each in history.organizations.items()}
            history.counts.append((clock.wall(), counts))

    one = target(INSTANCE, seed=1)
    async with one.exporter.running():
        await scrapes(one, before=RESTARTED)
    one = target(INSTANCE, seed=2)
    async with one.exporter.running():
        await scrapes(one, before=REVOKED)
        broken.role = "none"
        await scrapes(one, before=TROUBLED)
        simulator.faults += map(parse_fault, ("500:0.6", "429:10s:0.1", "slow:3s:0.3"))
        await scrapes(one, before=TROUBLED - 30 * MINUTE)
        simulator.faults.clear()
        await scrapes(one, before=RENAMED)
        rename(acme.organization)
        await scrapes(one, before=DOUBLED)
        two = target(REPLICA, seed=3)
        async with two.exporter.running():
            await scrapes(one, two, before=UNREACHABLE)
            two.reachable = False
            await scrapes(one, two, before=UNREACHABLE - 10 * MINUTE)
            two.reachable = True
            await scrapes(one, two, before=JOINED)
            for each in (one, two):
                await each.exporter.reload(configured(joined=True))
            await scrapes(one, two, before=0)
    history.requests = list(simulator.requests)


def rename(organization: SimulatedOrganization) -> None:
    """Give everything a new name, with quotes in it as people write them; the ids stay."""
    for account in organization.service_accounts.values():
        name = f'{account.display_name} "new"'
        organization.replace(replace(account, display_name=name))
    for user in organization.users.values():
        organization.replace(replace(user, full_name=f'{user.full_name} "new"'))
    for environment in organization.environments.values():
        organization.replace(replace(environment, name=f'{environment.name} "new"'))
    for cluster in organization.clusters.values():
        organization.replace(replace(cluster, name=f'{cluster.name} "new"'))


@dataclass(frozen=True)
class Present:
    """The exporters that are running now, and the API that they ask."""

    exporters: Mapping[str, str]
    """Their addresses, by instance."""
    simulator: Simulator
    asked: Mapping[str, int]
    """How many requests there were when each had refreshed, one after the other."""


@contextmanager
def going_on(history: History, folder: Path) -> Iterator[Present]:
    """Serve the organizations through two real exporters, which have refreshed once.

    Between their starts everything is renamed: each replica fetches the names at times of its own,
    and until then the two of them disagree.
    """
    accounts = history.accounts
    simulator = Simulator(accounts.values(), clock=SystemClock(), rate_limit=LIMIT)
    exporters: dict[str, str] = {}
    asked: dict[str, int] = {}
    with ExitStack() as stack:
        file = folder / "config.yaml"
        file.write_text(history.configuration(accounts, url=stack.enter_context(served(simulator))))
        command = (*EXPORTER, f"--config.file={file}", "--web.listen-address=127.0.0.1:0")
        for instance in (INSTANCE, REPLICA):
            log = folder / f"{len(asked)}.log"
            stack.enter_context(started(*command, log=log, environ={"SECRET": "SECRET"}))
            for name in accounts:
                usage = ("usage",) if name == "acme" else ()
                for each in ("api_keys", "names", "quotas", *usage):  # refreshed, or refresh failed
                    printed(log, rf"msg=(.*) organization={name} collector={each} ")
            exporters[instance] = printed(log, r"urls=http://(\S+)")
            asked[instance] = len(simulator.requests)
            rename(accounts["acme"].organization)
        yield Present(exporters, simulator, asked)
