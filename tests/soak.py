"""Soak test: the real process with twenty organizations, every fault in turn, constant scraping.

``make soak`` prints the measurements and fails on an unhandled exception, growing memory or file
descriptors, an organization that does not recover, or a wrong count. It runs for a limited time and
on loopback only.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.table import Table

from exporter.clock import SystemClock
from exporter.simulator import (
    FAULTS,
    IDENTITY_PROVIDER_PATH,
    Account,
    ApiOptions,
    IdentityPool,
    IdentityProvider,
    Lifecycle,
    SimulatedRateLimit,
    Simulator,
    parse_fault,
    seeded_organization,
)
from exporter.web import bind, serve
from exporter.web.sockets import url_of
from tests.programs import EXPORTER, ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

ORGANIZATIONS = 20
POOLS = (0, 1)
"""The organizations with an identity pool; the second one logs in at the identity provider."""
SECRET = "soaked-through-and-through"
ISSUER = "https://identity-provider.example.com"
TOKEN_LIFE = 4  # seconds; a token is replaced after half of them
SPEED = 20_000.0  # simulated seconds per second: a key or two are created and deleted each second
SCRAPERS = 2
WARM_UP = 0.25  # share of the time; one-time allocations happen in it
SETTLING = 60.0  # seconds in which every organization must recover
MOST_GROWTH = 8.0  # MiB between the second and the last quarter
MOST_THREADS = 40  # about 12 are usual: most of the organizations wait for the API at any time
PAGE = os.sysconf("SC_PAGE_SIZE")
MIB = 1024 * 1024


@dataclass
class Findings:
    """The measurements."""

    seconds: float = 0.0
    memory: list[tuple[float, float]] = field(default_factory=list)
    """Seconds since the start, MiB."""
    descriptors: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    scrapes: list[float] = field(default_factory=list)
    """Seconds of each scrape."""
    requests: int = 0
    refused: int = 0
    """Rejected requests of other clients within their half of the windows."""
    problems: list[str] = field(default_factory=list)

    def quarter(self, number: int) -> list[float]:
        """Return the memory in quarter ``number`` of the time, 1 to 4."""
        size = max(1, len(self.memory) // 4)
        return [mib for _, mib in self.memory[(number - 1) * size : number * size]]

    def growth(self) -> float:
        """Return the growth of the median from the second to the last quarter, in MiB."""
        return statistics.median(self.quarter(4)) - statistics.median(self.quarter(2))

    def slope(self) -> float:
        """Return MiB per minute after the warm-up, by least squares."""
        begin = self.memory[0][0] + WARM_UP * (self.memory[-1][0] - self.memory[0][0])
        times, sizes = zip(*((at, mib) for at, mib in self.memory if at >= begin), strict=True)
        return 60 * statistics.linear_regression(times, sizes).slope


class Harness:
    """The simulated side."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.organizations = {
            f"org-{n:02d}": seeded_organization(seed=n, keys=50 + 17 * n, now=self.clock.wall())
            for n in range(ORGANIZATIONS)
        }
        self.lives = [
            Lifecycle(organization, seed=number, speed=SPEED)
            for number, organization in enumerate(self.organizations.values())
        ]
        accounts = [
            Account(f"KEY{number:02d}", SECRET, organization)
            for number, organization in enumerate(self.organizations.values())
        ]
        self.provider = IdentityProvider(
            issuer=ISSUER, clients={"client": SECRET}, lifetime=3600, clock=self.clock
        )
        self.simulator = Simulator(
            accounts,
            clock=self.clock,
            rate_limit=SimulatedRateLimit(400, 2.0),
            options=ApiOptions(token_lifetime=TOKEN_LIFE),
            identity_providers=[self.provider],
            pools=[IdentityPool(f"pool-{number}", accounts[number], ISSUER) for number in POOLS],
        )

    async def live(self) -> None:
        """Create and delete keys and use the other half of every window until cancelled."""
        while True:
            for life in self.lives:
                life.advance(self.clock.monotonic(), wall=self.clock.wall())
            for organization in self.organizations.values():
                self.simulator.window(organization).spend(5, client="others")
            await asyncio.sleep(0.1)

    def refused(self) -> int:
        windows = (self.simulator.window(each) for each in self.organizations.values())
        return sum(window.tally("others").refused for window in windows)

    def truth(self) -> dict[str, float]:
        return {name: len(each.keys) for name, each in self.organizations.items()}


async def soak(seconds: float, *, say: Console) -> Findings:
    """Return the measurements of about ``seconds``, plus the time to recover."""
    findings, harness = Findings(), Harness()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        sockets = bind(["127.0.0.1:0"])
        async with (
            serve(harness.simulator, sockets, reads_bodies=True),
            exporter(harness, url_of(sockets[0]), Path(folder), log) as (process, url),
            watching(findings, process.pid, url),
        ):
            living = asyncio.create_task(harness.live())
            await _faults_in_turn(harness, seconds, process=process, say=say)
            living.cancel()
            harness.simulator.faults.clear()
            say.print("every fault is over; waiting for all to come back")
            await _settle(harness, url, findings)
        findings.requests = harness.simulator.received
        findings.refused = harness.refused()
        _judge(findings, log.read_text(), process.returncode)
    return findings


@asynccontextmanager
async def exporter(
    harness: Harness, api: str, folder: Path, log: Path
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Run the exporter while the context is open; yield it and its URL."""
    token = folder / "token"
    token.write_text(harness.provider.token(subject="exporter"))
    names = "".join(
        f"  - name: org-{number:02d}\n    credentials: {{{_credentials(number, api, token)}}}\n"
        for number in range(ORGANIZATIONS)
    )
    path = folder / "config.yaml"
    path.write_text(
        f"defaults: {{url: {api}, refresh_interval: 3s, refresh_timeout: 6s, request_timeout: 2s,"
        " stale_after: 15s, names: {refresh_interval: 12s}, quotas: {refresh_interval: 12s}}\n"
        f"organizations:\n{names}"
    )
    (free,) = bind(["127.0.0.1:0"])
    url = url_of(free)
    free.close()
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *EXPORTER,
            f"--config.file={path}",
            f"--web.listen-address={url.removeprefix('http://')}",
            stdout=file,
            stderr=file,
            env=os.environ | {"SECRET": SECRET, "PYTHONPATH": str(ROOT)},
        )
    try:
        async with httpx.AsyncClient() as client:
            await _until(lambda: _answers(client, f"{url}/-/ready"), seconds=SETTLING)
        yield process, url
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 10)


def _credentials(number: int, api: str, token: Path) -> str:
    """Return the credentials of an organization, as YAML."""
    if number not in POOLS:
        return f"api_key: KEY{number:02d}, api_secret_env: SECRET"
    if number == POOLS[0]:
        return f"identity_pool: pool-{number}, token_file: {token}"
    client = f"token_url: {api}{IDENTITY_PROVIDER_PATH}, client_id: client"
    return f"identity_pool: pool-{number}, oauth: {{{client}, client_secret_env: SECRET}}"


@asynccontextmanager
async def watching(findings: Findings, pid: int, url: str) -> AsyncIterator[None]:
    """Scrape constantly and measure the process while the context is open."""
    began = time.monotonic()

    async def scrape(number: int) -> None:
        accept = "application/openmetrics-text;version=1.0.0" if number % 2 else "text/plain"
        async with httpx.AsyncClient(headers={"Accept": accept}) as client:
            while True:
                before = time.monotonic()
                response = await client.get(f"{url}/metrics")
                findings.scrapes.append(time.monotonic() - before)
                if response.status_code != 200:  # OK
                    findings.problems.append(f"a scrape was answered with {response.status_code}")
                await asyncio.sleep(0.1)

    async def measure() -> None:
        while True:
            resident, descriptors, threads = _measured(Path(f"/proc/{pid}"))
            findings.memory.append((time.monotonic() - began, resident))
            findings.descriptors.append(descriptors)
            findings.threads.append(threads)
            await asyncio.sleep(0.25)

    tasks = [asyncio.create_task(scrape(number)) for number in range(SCRAPERS)]
    tasks.append(asyncio.create_task(measure()))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if not isinstance(ended, asyncio.CancelledError):
                findings.problems.append(f"watching ended: {ended!r}")
        findings.seconds = time.monotonic() - began


def _measured(process: Path) -> tuple[float, int, int]:
    """Return the resident memory in MiB and the numbers of file descriptors and of threads."""
    resident = int((process / "statm").read_text().split()[1]) * PAGE / MIB
    descriptors, threads = (len(list((process / each).iterdir())) for each in ("fd", "task"))
    return resident, descriptors, threads


async def _faults_in_turn(
    harness: Harness, seconds: float, *, process: asyncio.subprocess.Process, say: Console
) -> None:
    for name in FAULTS:
        say.print(f"fault: {name}")
        harness.simulator.faults[:] = [parse_fault(f"{name}:0.4")]
        await asyncio.sleep(seconds / len(FAULTS))
        process.send_signal(1)  # SIGHUP: reload the same configuration


async def _settle(harness: Harness, url: str, findings: Findings) -> None:
    """Wait until every organization is up and every count is correct."""
    async with httpx.AsyncClient() as client:
        state: dict[str, dict[str, float]] = {}

        async def settled() -> bool:
            text = (await client.get(f"{url}/metrics")).text
            state["up"] = {
                f"{organization} {collector}": up
                for organization, collector, up in _samples(text, "confluent_cloud_up")
            }
            state["keys"] = {
                organization: keys
                for organization, _, keys in _samples(text, "confluent_cloud_organization_api_keys")
            }
            return set(state["up"].values()) == {1} and state["keys"] == harness.truth()

        try:
            await _until(settled, seconds=SETTLING)
        except TimeoutError:
            down = [name for name, up in state["up"].items() if not up]
            wrong = {k: (state["keys"].get(k), v) for k, v in harness.truth().items()}
            wrong = {name: pair for name, pair in wrong.items() if pair[0] != pair[1]}
            findings.problems.append(f"not up again: {down}; counted and true: {wrong}")


def _samples(text: str, name: str) -> Iterator[tuple[str, str, float]]:
    """Yield organization, collector and value of the samples of ``name``."""
    # Parsing all of it takes a second, in which this process answers no request to the API.
    lines = [f"{line}\n" for line in text.split("\n") if line.startswith(name)]
    for family in text_string_to_metric_families("".join(lines)):
        for sample in family.samples:
            if sample.name == name:
                labels = sample.labels
                yield labels["organization"], labels.get("collector", ""), sample.value


async def _answers(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).status_code == 200  # OK
    except httpx.TransportError:
        return False


async def _until(condition: Callable[[], Awaitable[bool]], *, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 # another process cannot set an event
            await asyncio.sleep(0.2)


def _judge(findings: Findings, log: str, code: int | None) -> None:
    problems = findings.problems
    if code != 0:
        problems.append(f"the exporter ended with {code}")
    for sign in ("Traceback", "error in the exporter", "exception was never retrieved"):
        if sign in log:
            problems.append(f"the log has: {sign}")
    for secret in (SECRET, "eyJ"):  # also the first characters of every token
        if secret in log:
            problems.append(f"the log has a secret with {secret[:4]}")
    if findings.growth() > MOST_GROWTH:
        problems.append(f"memory grew by {findings.growth():.1f} MiB")
    quarter = len(findings.descriptors) // 4
    if max(findings.descriptors[-quarter:]) > max(findings.descriptors[quarter : 2 * quarter]) + 2:
        problems.append(f"file descriptors grew: {Counter(findings.descriptors)}")
    if max(findings.threads) > MOST_THREADS:
        problems.append(f"there were up to {max(findings.threads)} threads")
    if findings.refused:
        problems.append(f"{findings.refused} requests of others were refused")


def report(findings: Findings) -> Table:
    """Return the measurements as a table."""
    table = Table(title=f"soak: {ORGANIZATIONS} organizations, {len(FAULTS)} faults in turn")
    table.add_column("figure")
    table.add_column("value", justify="right")
    scrapes = sorted(findings.scrapes)
    memory = [mib for _, mib in findings.memory]
    for name, value in (
        ("seconds", f"{findings.seconds:.0f}"),
        ("requests to the API", f"{findings.requests}"),
        ("requests of others refused", f"{findings.refused}"),
        ("scrapes", f"{len(scrapes)}"),
        ("scrape p50, p99", f"{_share(scrapes, 0.5):.1f}, {_share(scrapes, 0.99):.1f} ms"),
        ("memory, least and most", f"{min(memory):.1f}, {max(memory):.1f} MiB"),
        ("memory, slope after the warm-up", f"{findings.slope():+.2f} MiB/min"),
        ("memory, last quarter above second", f"{findings.growth():+.2f} MiB"),
        ("file descriptors, most", f"{max(findings.descriptors)}"),
        ("threads, most", f"{max(findings.threads)}"),
    ):
        table.add_row(name, value)
    return table


def _share(ordered: list[float], share: float) -> float:
    """Return the quantile ``share`` of the sorted seconds ``ordered``, in milliseconds."""
    return 1000 * ordered[int(share * (len(ordered) - 1))]


def main() -> int:
    """Run for the given time; return 1 if any check failed."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=180.0, help="Default: %(default)s")
    options = parser.parse_args()
    logging.getLogger("exporter.web.connection").setLevel(
        logging.CRITICAL
    )  # resets are expected here
    seconds = min(max(options.seconds, 10.0), 1800.0)
    findings = asyncio.run(soak(seconds, say=Console(stderr=True)))
    Console().print(report(findings))
    for problem in findings.problems:
        print(f"problem: {problem}", file=sys.stderr)
    return 1 if findings.problems else 0


if __name__ == "__main__":
    sys.exit(main())
