"""``once`` and ``check``: refresh every organization once."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.spinner import Spinner

from exporter import logs
from exporter.app import Exporter
from exporter.cli.configuration import load_config
from exporter.cli.describing import describe
from exporter.cli.flags import CHECK_RESERVE
from exporter.cli.matching import unmatched_teams
from exporter.cli.output import open_output, print_message, print_output
from exporter.cli.progress import progress_display, timeout_failure
from exporter.cli.shard_flags import selected_shard, shard_of_process
from exporter.cli.signals import run_cancellable
from exporter.clock import SystemClock
from exporter.collectors import COLLECTORS, NamesCollector, SampledNamesCollector
from exporter.config import RateLimit
from exporter.escaping import escaped
from exporter.exposition import Format

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from exporter.config import Config, Organization
    from exporter.refresh import Failure, OrganizationState, RefreshStatus

_COLLECTORS_OF_CHECK = tuple(
    SampledNamesCollector if each is NamesCollector else each for each in COLLECTORS
)


@dataclass(frozen=True)
class _Result:
    """The outcome of one refresh."""

    states: Sequence[OrganizationState]
    unfinished: Sequence[str]
    """The organizations that exceeded ``--timeout``, each with its unfinished collectors."""

    @property
    def code(self) -> int:
        """The exit code: 1 if an organization failed, or did not finish in time."""
        failed = any(not state.prioritized.up for state in self.states)
        return 1 if failed or self.unfinished else 0


def once(options: argparse.Namespace) -> int:
    """Print the metrics of one refresh; return 1 if an organization failed."""
    loaded = load_config(options.config_file, shard=shard_of_process(options))
    exporter = Exporter(loaded, clock=SystemClock(), process_metrics=False)
    with open_output(options.output) as output:
        result = _refresh(exporter, "Listing API keys …", timeout=options.timeout)
        metrics = exporter.exposition.scrape(Format.TEXT, gzip=False)
        output.write(_escape_for_terminal(metrics) if output.isatty() else metrics)
    if result.unfinished:
        logs.flush()  # keep the order of the lines
        print_message(f"{timeout_failure(options.timeout)}: {', '.join(result.unfinished)}")
    return result.code


def check(options: argparse.Namespace) -> int:
    """Print what each organization's credentials can see; return 1 if any of them failed."""
    loaded = load_config(options.config_file, shard=selected_shard(options))
    exporter = Exporter(
        with_capped_reserve(loaded),
        clock=SystemClock(),
        process_metrics=False,
        collectors=_COLLECTORS_OF_CHECK,
    )
    # The output reports each failure; the log would repeat it.
    logging.getLogger("exporter.refresh").setLevel(logging.CRITICAL)
    result = _refresh(exporter, "Querying the API …", timeout=options.timeout)
    for (organization, _), state in zip(exporter.hosts(), result.states, strict=True):
        print_output("\n".join(describe(organization, state, exporter.summaries(state))))
    if unmatched := unmatched_teams(result.states):
        print_output(unmatched)
    return result.code


def _refresh(exporter: Exporter, activity: str, *, timeout: float | None) -> _Result:
    """Refresh every organization once within ``timeout`` seconds, and show ``activity``."""
    clock = SystemClock()

    async def refresh() -> _Result:
        try:
            async with asyncio.timeout(timeout):
                await exporter.refresh_once()
        except TimeoutError:
            failure = timeout_failure(timeout)
            states = [_failed(state, failure, now=clock.wall()) for state in exporter.states()]
            for state in states:
                await exporter.publish(state)
            return _Result(states, [each for each in map(_unfinished, exporter.states()) if each])
        finally:
            await exporter.aclose()
        return _Result(exporter.states(), ())

    with progress_display(Spinner("dots", activity), exporter, clock=clock):
        return run_cancellable(refresh())


def _escape_for_terminal(metrics: bytes) -> bytes:
    """Return ``metrics`` with control characters escaped, because labels hold names from the API.

    Only for terminals: the exposition format has no such escapes.
    """
    return "\n".join(map(escaped, metrics.decode().split("\n"))).encode()


def _failed(state: OrganizationState, failure: Failure, *, now: float) -> OrganizationState:
    """Return ``state`` with ``failure`` for each unfinished collector."""

    def failed(before: RefreshStatus) -> RefreshStatus:
        return replace(
            before,
            finished=now,
            failure=failure,
            failures_in_a_row=1,
            refreshes=1,
            failures={failure.reason: 1},
        )

    refreshes = {
        name: failed(each) if each.finished is None else each
        for name, each in state.refreshes.items()
    }
    return replace(state, refreshes=refreshes)


def _unfinished(state: OrganizationState) -> str:
    """Return the organization and its unfinished collectors; empty if there are none."""
    names = [name for name, each in state.refreshes.items() if each.finished is None]
    return f"{state.name} ({', '.join(names)})" if names else ""


def with_capped_reserve(loaded: Config) -> Config:
    """Return ``loaded`` with each ``rate_limit.reserve`` limited to :data:`CHECK_RESERVE`."""

    def adjusted(organization: Organization) -> Organization:
        reserve = min(organization.rate_limit.reserve, CHECK_RESERVE)
        return organization.model_copy(update={"rate_limit": RateLimit(reserve=reserve)})

    return replace(loaded, organizations=tuple(map(adjusted, loaded.organizations)))
