"""``once`` and ``check``: one refresh of every organization, then the end."""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.spinner import Spinner

from exporter import logs
from exporter.app import Exporter
from exporter.cli.arguments import CHECK_RESERVE
from exporter.cli.describing import describe
from exporter.cli.files import writing
from exporter.cli.loading import load_config
from exporter.cli.signals import run_to_its_answer
from exporter.cli.streams import say
from exporter.cli.waiting import showing, timed_out
from exporter.clock import SystemClock
from exporter.collectors import ApiKeysCollector, QuotasCollector, SampledNamesCollector
from exporter.config import RateLimit
from exporter.escaping import escaped
from exporter.exposition import Format

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from exporter.config import Config, Organization
    from exporter.refresh import CollectorState, Failure, OrganizationState

_COLLECTORS_OF_CHECK = (ApiKeysCollector, SampledNamesCollector, QuotasCollector)


@dataclass(frozen=True)
class _Result:
    """What one refresh brought."""

    states: Sequence[OrganizationState]
    late: Sequence[str]
    """The organizations that were not complete in time, each with the collectors that were not."""

    @property
    def code(self) -> int:
        """The exit code: 1 if an organization failed, or if time ran out."""
        failed = any(not state.prioritized.up for state in self.states)
        return 1 if failed or self.late else 0


def once(options: argparse.Namespace) -> int:
    """Print the metrics of one refresh; 1 if an organization failed, after printing the others."""
    loaded = load_config(options.config_file)
    exporter = Exporter(loaded, clock=SystemClock(), process_metrics=False)
    with (
        nullcontext(sys.stdout.buffer)
        if options.output is None
        else writing(options.output) as file,
    ):
        result = _refresh(exporter, "Listing API keys …", timeout=options.timeout)
        metrics = exporter.exposition.scrape(Format.TEXT, gzip=False)
        file.write(_for_a_terminal(metrics) if file.isatty() else metrics)
    if result.late:
        logs.flush()  # its lines came first
        say(f"{timed_out(options.timeout)}: {', '.join(result.late)}")
    return result.code


def check(options: argparse.Namespace) -> int:
    """Print what each organization's credentials see; 1 if those of any do not work."""
    loaded = load_config(options.config_file)
    exporter = Exporter(
        with_less_reserve(loaded),
        clock=SystemClock(),
        process_metrics=False,
        collectors=_COLLECTORS_OF_CHECK,
    )
    # The lines below report failures, once each.
    logging.getLogger("exporter.refresh").setLevel(logging.CRITICAL)
    result = _refresh(exporter, "Asking the API …", timeout=options.timeout)
    for (organization, _), state in zip(exporter.hosts(), result.states, strict=True):
        for line in describe(organization, state, exporter.summaries(state)):
            print(line)
    return result.code


def _refresh(exporter: Exporter, activity: str, *, timeout: float | None) -> _Result:
    """Refresh every organization once, within ``timeout`` seconds; show ``activity`` meanwhile."""
    clock = SystemClock()

    async def refresh() -> _Result:
        try:
            async with asyncio.timeout(timeout):
                await exporter.refresh_once()
        except TimeoutError:
            late = timed_out(timeout)
            states = [_failed(state, late, now=clock.wall()) for state in exporter.states()]
            for state in states:
                await exporter.publish(state)
            return _Result(states, [each for each in map(_unfinished, exporter.states()) if each])
        finally:
            await exporter.aclose()
        return _Result(exporter.states(), ())

    with showing(Spinner("dots", activity), exporter, clock=clock):
        return run_to_its_answer(refresh())


def _for_a_terminal(metrics: bytes) -> bytes:
    """Return ``metrics`` with control characters escaped: names in labels are from the network.

    Programs get them as they are, since the format has no such escapes.
    """
    return "\n".join(map(escaped, metrics.decode().split("\n"))).encode()


def _failed(state: OrganizationState, failure: Failure, *, now: float) -> OrganizationState:
    """Return ``state`` with ``failure`` for the collectors that have not finished."""

    def failed(before: CollectorState) -> CollectorState:
        return replace(
            before,
            finished=now,
            failure=failure,
            failures_in_a_row=1,
            refreshes=1,
            failures={failure.reason: 1},
        )

    collectors = {
        name: failed(each) if each.finished is None else each
        for name, each in state.collectors.items()
    }
    return replace(state, collectors=collectors)


def _unfinished(state: OrganizationState) -> str:
    """Return the organization and its unfinished collectors; nothing if there are none."""
    names = [name for name, each in state.collectors.items() if each.finished is None]
    return f"{state.name} ({', '.join(names)})" if names else ""


def with_less_reserve(loaded: Config) -> Config:
    """Return ``loaded`` with at most the reserve that ``check`` leaves to others."""

    def adjusted(organization: Organization) -> Organization:
        reserve = min(organization.rate_limit.reserve, CHECK_RESERVE)
        return organization.model_copy(update={"rate_limit": RateLimit(reserve=reserve)})

    return replace(loaded, organizations=tuple(map(adjusted, loaded.organizations)))
