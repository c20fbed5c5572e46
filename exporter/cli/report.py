"""``report``: the keys themselves, one by one, where the metrics only count."""

from __future__ import annotations

import io
import sys
import textwrap
from contextlib import nullcontext
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import structlog
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from exporter.app import Exporter
from exporter.cli.files import writing
from exporter.cli.loading import load_config
from exporter.cli.report_fetch import fetch_reports
from exporter.cli.report_output import as_csv, as_json, as_table
from exporter.cli.report_rows import Selection, violating
from exporter.cli.signals import run_cancellable
from exporter.cli.streams import say
from exporter.cli.waiting import showing
from exporter.clock import SystemClock
from exporter.errors import StartUpError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Iterable, Sequence

    from exporter.cli.report_fetch import OrganizationReport, ProgressCallback
    from exporter.cli.report_rows import Row
    from exporter.config import Config

log = structlog.get_logger(__name__)


def report(options: argparse.Namespace) -> int:
    """Print the keys that are wanted.

    1 if an organization failed, if a key violates a policy of ``--fail-on``, or if there is none
    with ``--fail-on-empty``.
    """
    loaded = chosen(load_config(options.config_file), options.organization)
    wanted = Selection(
        owners=tuple(options.owner),
        resources=tuple(options.resource),
        environments=tuple(options.environment),
        min_age=options.min_age,
        max_age=options.max_age,
    )
    with (
        nullcontext(sys.stdout.buffer)
        if options.output is None
        else writing(options.output) as file,
    ):
        surveys = _ask(loaded, timeout=options.timeout)
        rows = wanted.of(row for survey in surveys for row in survey.rows)
        shown = violating(rows, options.policy) if options.policy else rows
        to_file = options.output is not None
        file.write(_written(shown, options.format, organizations=len(surveys), to_file=to_file))
    say_what_is_not_judged(surveys, asked={*options.policy, *options.fail_on})
    passed = passes(rows, surveys, fail_on=options.fail_on)
    failed = any(survey.failed for survey in surveys)
    if not rows and not failed:
        say("no keys found" if wanted == Selection() else "no key matches the filters")
    return 1 if failed or not passed or (options.fail_on_empty and not rows) else 0


def chosen(loaded: Config, patterns: Sequence[str]) -> Config:
    """Return ``loaded`` with the organizations whose names match any of ``patterns``, if any.

    Raises :class:`~exporter.errors.StartUpError` for a pattern that matches none.
    """
    names = [each.name for each in loaded.organizations]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise StartUpError(
                f"--organization: {pattern!r} matches none of the organizations in the"
                f" configuration. They are {textwrap.shorten(', '.join(names), 200)}"
            )
    if not patterns:
        return loaded
    return replace(
        loaded,
        organizations=tuple(
            each
            for each in loaded.organizations
            if any(fnmatchcase(each.name, pattern) for pattern in patterns)
        ),
    )


def _ask(loaded: Config, *, timeout: float | None) -> Sequence[OrganizationReport]:
    """Survey the organizations; show how many keys are listed."""
    clock = SystemClock()
    exporter = Exporter(loaded, clock=clock, process_metrics=False)

    async def ask(on_progress: ProgressCallback) -> Sequence[OrganizationReport]:
        try:
            return await fetch_reports(
                exporter.hosts(), clock=clock, on_progress=on_progress, timeout=timeout
            )
        finally:
            await exporter.aclose()

    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed:.0f} keys", markup=False),
    )
    on_progress = _progress_callback(progress, [each.name for each in loaded.organizations])
    with showing(progress, exporter, clock=clock, beside=True):
        return run_cancellable(ask(on_progress))


def say_what_is_not_judged(
    surveys: Iterable[OrganizationReport], *, asked: Collection[str]
) -> None:
    """Say once of each organization what could not be judged, and what of the ``asked`` is off."""
    for survey in surveys:
        if survey.failed:
            continue
        if missing := survey.active - survey.judged:
            log.warning(
                "policies that cannot be judged without a complete and plausible listing of names",
                organization=survey.organization,
                policies=",".join(sorted(missing)),
            )
        if off := set(asked) - survey.active:
            log.warning(
                "policies that the configuration has switched off",
                organization=survey.organization,
                policies=",".join(sorted(off)),
            )


def passes(
    wanted: Sequence[Row], surveys: Iterable[OrganizationReport], *, fail_on: Collection[str]
) -> bool:
    """Whether no key violates any of ``fail_on``; say how many do.

    A policy that is on and could not be judged is not passed: nobody knows.
    """
    found = violating(wanted, fail_on)
    if found:
        log.error(
            "keys violate what --fail-on names",
            keys=len(found),
            policies=",".join(
                sorted({policy for row in found for policy in row.policies} & {*fail_on})
            ),
        )
    unknown = {policy for each in surveys for policy in each.active - each.judged} & {*fail_on}
    if unknown:
        log.error("what --fail-on names cannot be judged", policies=",".join(sorted(unknown)))
    return not found and not unknown


def _written(rows: Sequence[Row], form: str, *, organizations: int, to_file: bool = False) -> bytes:
    if form == "json":
        return as_json(rows).encode()
    if form == "csv":
        return as_csv(rows).encode()
    output = Console(file=io.StringIO() if to_file else None)
    colour = output.color_system is not None and not output.no_color
    table = as_table(rows, organizations=organizations, width=output.width, colour=colour)
    return table.encode("utf-8" if to_file else sys.stdout.encoding, "replace")


def _progress_callback(progress: Progress, organizations: Iterable[str]) -> ProgressCallback:
    """Return a callback that shows in ``progress`` how many keys are listed.

    The bar only pulses: the API does not say how many keys to expect.
    """
    tasks = {name: progress.add_task(name, total=None) for name in organizations}

    def on_progress(organization: str, keys: int, *, complete: bool) -> None:
        total = max(1, keys) if complete else None
        progress.update(tasks[organization], completed=keys, total=total)

    return on_progress
