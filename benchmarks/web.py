"""The web configuration: what TLS and users cost a scrape, and whether wrong passwords delay it.

Three exporters of the same organization are measured in turns: without a web configuration, with
one that has a user, and with one that has a user and TLS. Connections are kept, as Prometheus keeps
them. Wrong passwords come from a client in another process, which sends them without pause, while
others scrape at a fixed rate.
"""

from __future__ import annotations

import re
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bcrypt
import trustme
import yaml

from benchmarks.processes import exporter, load, organizations, running, upstream
from benchmarks.report import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.load import Load
    from benchmarks.processes import Running

LEAST_OVER_TLS = 0.8
"""Times the scrapes without TLS."""
MORE_CPU = 0.2
"""Milliseconds for each scrape."""
P99_WITHIN = 100.0
"""Milliseconds."""
USER = ("prometheus", "the-password-of-prometheus")
_COST = 10
"""Of bcrypt, as the examples of the Prometheus exporters have it."""
_SCRAPERS = 4
_GUESSERS = 16
"""Connections. Eight passwords of a client may wait for bcrypt; the others get 429 at once."""
_NUMBER = re.compile(r"(?m)^(\d+)$")
_REJECTED = re.compile(rb"(?m)^confluent_cloud_exporter_web_authentication_failures_total (\S+)$")


@dataclass(frozen=True)
class _Plan:
    """What is measured."""

    seconds: float = 1.5
    """Duration of each measurement in turns."""
    guessing: float = 4.0
    """Duration of each measurement at a fixed rate, in seconds."""
    rate: float = 100
    """Scrapes per second in these."""
    repeats: int = 5
    pairs: int = 5_000
    keys: int = 7_500  # which have more pairs


_QUICK = _Plan(seconds=0.2, guessing=0.5, rate=50, repeats=1, pairs=50, keys=100)


@dataclass(frozen=True)
class _Files:
    """Web configurations, and the CA of the server."""

    tls: Path
    users: Path
    ca: Path


def rows(*, quick: bool = False) -> Iterator[Row]:
    """Measure TLS, then users, then wrong passwords."""
    plan = _QUICK if quick else _Plan()
    with (
        tempfile.TemporaryDirectory() as folder,
        upstream(plan.keys) as api,
        ExitStack() as stack,
    ):
        files = _written(Path(folder))
        settings: dict[str, Any] = {
            "refresh_interval": "1h",
            "stale_after": "2h",
            "max_pairs": plan.pairs - 1,
        }
        served = organizations(api.url, **settings)
        plain = stack.enter_context(exporter(served))
        tls = stack.enter_context(exporter(served, web_config=files.tls, ca=files.ca))
        users = stack.enter_context(exporter(served, web_config=files.users))
        for each in (plain, tls, users):
            each.wait_until_ready()
        print(f"web: {plan.pairs:,} series", file=sys.stderr, flush=True)
        yield from _in_turns(plan, plain, tls, users, ca=files.ca)
        yield from _while_guessing(plan, users)


def _written(folder: Path) -> _Files:
    """Write a certificate for the loopback and the web configurations to ``folder``."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    files = _Files(folder / "tls.yml", folder / "users.yml", folder / "ca.pem")
    authority.cert_pem.write_to_path(files.ca)
    issued.private_key_pem.write_to_path(folder / "key.pem")
    issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    tls = {"tls_server_config": {"cert_file": "cert.pem", "key_file": "key.pem"}}
    name, password = USER
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(_COST)).decode()
    users = {"basic_auth_users": {name: hashed}}
    files.tls.write_text(yaml.safe_dump(tls | users))
    files.users.write_text(yaml.safe_dump(users))
    return files


def _in_turns(
    plan: _Plan, plain: Running, tls: Running, users: Running, *, ca: Path
) -> Iterator[Row]:
    for each in (users, tls):
        each.metrics(user=USER)  # the first time costs a bcrypt
    rates: dict[str, list[float]] = {"plain": [], "users": [], "tls": []}
    cpu: dict[str, list[float]] = {"plain": [], "users": [], "tls": []}
    user = ":".join(USER)
    for _ in range(plan.repeats):
        for name, (seen, costs) in {
            "plain": _scraped(plan, plain),
            "users": _scraped(plan, users, user=user),
            "tls": _scraped(plan, tls, user=user, ca=ca),
        }.items():
            rates[name].append(seen.rate)
            cpu[name].append(costs)
    of = f"{plan.pairs:,} series, idle, {_SCRAPERS} scrapers"
    yield Row(
        of,
        "scrapes over TLS, gzip",
        rates["tls"],
        "/s",
        yardstick="the same user without TLS",
        beside=rates["users"],
        least=LEAST_OVER_TLS,
    )
    yield Row(
        of,
        "scrapes over TLS, gzip",
        rates["tls"],
        "/s",
        yardstick="no web configuration",
        beside=rates["plain"],
    )
    yield Row(
        of,
        "CPU of a scrape over TLS",
        cpu["tls"],
        "ms",
        yardstick="the same user without TLS",
        beside=cpu["users"],
    )
    yield Row(
        of,
        "CPU of a scrape by the same user",
        cpu["users"],
        "ms",
        yardstick="no web configuration",
        beside=cpu["plain"],
        more=MORE_CPU,
    )


def _scraped(
    plan: _Plan, process: Running, *, user: str = "", ca: Path | None = None
) -> tuple[Load, float]:
    """Return what the scrapers measured, and the CPU time of one scrape in milliseconds."""
    before = process.cpu()
    seen = load(process.url, seconds=plan.seconds, connections=_SCRAPERS, user=user, ca=ca)
    return seen, (process.cpu() - before) / seen.requests * 1000


def _while_guessing(plan: _Plan, users: Running) -> Iterator[Row]:
    def scraped() -> Load:
        return load(
            users.url,
            seconds=plan.guessing,
            connections=_SCRAPERS,
            rate=plan.rate,
            user=":".join(USER),
        )

    def rejected() -> float:
        return float(_REJECTED.findall(users.metrics(user=USER))[0])

    undisturbed, disturbed, answered, compared = [], [], [], []
    for _ in range(plan.repeats):
        undisturbed.append(scraped())
        before = rejected()
        arguments = (f"{users.url}/metrics", f"--user={USER[0]}", f"--connections={_GUESSERS}")
        with running("-m", "benchmarks.guess", *arguments) as guesser:
            disturbed.append(scraped())
            answered.append(max(map(int, _NUMBER.findall(guesser.log.read_text())), default=0))
        compared.append(rejected() - before)
    of = f"{plan.pairs:,} series, idle, gzip, {plan.rate:g} scrapes/s by a user"
    yield Row(
        of,
        "p50 while another client guesses passwords",
        [each.p50 * 1000 for each in disturbed],
        "ms",
        yardstick="nobody else",
        beside=[each.p50 * 1000 for each in undisturbed],
    )
    yield Row(
        of,
        "p99 while another client guesses passwords",
        [each.p99 * 1000 for each in disturbed],
        "ms",
        yardstick="nobody else",
        beside=[each.p99 * 1000 for each in undisturbed],
        within=P99_WITHIN,
    )
    yield Row(of, "wrong passwords answered", answered)
    yield Row(of, "wrong passwords compared with bcrypt", compared)
