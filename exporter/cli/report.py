"""``report``: list the keys that the metrics only count."""

from __future__ import annotations

import io
import sys
import textwrap
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import structlog
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from exporter.app import Exporter
from exporter.cli.configuration import load_config
from exporter.cli.output import open_output, print_message
from exporter.cli.progress import progress_display
from exporter.cli.report_fetch import fetch_reports
from exporter.cli.report_table import as_table
from exporter.cli.shard_flags import selected_shard
from exporter.cli.signals import run_cancellable
from exporter.clock import SystemClock
from exporter.errors import StartUpError
from exporter.report import Selection, as_csv, as_json, violating

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Iterable, Sequence

    from exporter.cli.report_fetch import OrganizationReport, ProgressCallback
    from exporter.config import Config
    from exporter.report import Row

log = structlog.get_logger(__name__)

_NEEDS = {
    "unknown_owner": "a complete and plausible list of owners",
    "unused_for": "activity known for the time of the policy",
}
"""What the policies need that cannot always be evaluated."""


def report(options: argparse.Namespace) -> int:
    """Print the selected keys; return the exit code.

    1 if an organization failed, if a key violates a policy given with ``--fail-on``, or if no key
    matches and ``--fail-on-empty`` is given.
    """
    loaded = load_config(options.config_file, shard=selected_shard(options))
    config = select_organizations(loaded, options.organization)
    selection = Selection(
        owners=tuple(options.owner),
        teams=tuple(options.team),
        resources=tuple(options.resource),
        environments=tuple(options.environment),
        min_age=options.min_age,
        max_age=options.max_age,
    )
    with open_output(options.output) as output:
        reports = _fetch(config, timeout=options.timeout)
        rows = selection.apply(row for each in reports for row in each.rows)
        shown = violating(rows, options.policy) if options.policy else rows
        to_file = options.output is not None
        output.write(_render(shown, options.format, organizations=len(reports), to_file=to_file))
    warn_about_unevaluated_policies(reports, requested={*options.policy, *options.fail_on})
    passed = passes(rows, reports, fail_on=options.fail_on)
    failed = any(each.failed for each in reports)
    if not rows and not failed:
        unfiltered = selection == Selection()
        print_message("no keys found" if unfiltered else "no key matches the filters")
    return 1 if failed or not passed or (options.fail_on_empty and not rows) else 0


def select_organizations(config: Config, patterns: Sequence[str]) -> Config:
    """Return ``config`` with the organizations that match any of ``patterns``, or all without one.

    Raises :class:`~exporter.errors.StartUpError` for a pattern that matches no organization.
    """
    names = [each.name for each in config.organizations]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise StartUpError(
                f"--organization: {pattern!r} matches no organization {_where(config)}."
                f" Expected one of {textwrap.shorten(', '.join(names), 200)}"
            )
    if not patterns:
        return config
    return replace(
        config,
        organizations=tuple(
            each
            for each in config.organizations
            if any(fnmatchcase(each.name, pattern) for pattern in patterns)
        ),
    )


def _where(config: Config) -> str:
    shard = config.shard
    if shard.is_one_of_several:
        return f"of shard {shard.ordinal} of {shard.total}"
    return "in the configuration"


def _fetch(config: Config, *, timeout: float | None) -> Sequence[OrganizationReport]:
    """Fetch the report of every organization, and show the number of keys listed so far."""
    clock = SystemClock()
    exporter = Exporter(config, clock=clock, process_metrics=False)

    async def fetch(on_progress: ProgressCallback) -> Sequence[OrganizationReport]:
        try:
            return await fetch_reports(
                exporter.hosts(),
                clock=clock,
                on_progress=on_progress,
                timeout=timeout,
                metrics_hosts=exporter.metrics_hosts(),
            )
        finally:
            await exporter.aclose()

    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed:.0f} keys", markup=False),
    )
    on_progress = _progress_callback(progress, [each.name for each in config.organizations])
    with progress_display(progress, exporter, clock=clock, keep_activity=True):
        return run_cancellable(fetch(on_progress))


def warn_about_unevaluated_policies(
    reports: Iterable[OrganizationReport], *, requested: Collection[str]
) -> None:
    """Log policies that could not be evaluated, and ``requested`` policies that are disabled."""
    for report in reports:
        if report.failed:
            continue
        for policy in sorted(report.active - report.evaluated):
            log.warning(
                "a policy cannot be evaluated",
                organization=report.organization,
                policies=policy,
                missing=_NEEDS[policy],
            )
        if disabled := set(requested) - report.active:
            log.warning(
                "policies are disabled in the configuration",
                organization=report.organization,
                policies=",".join(sorted(disabled)),
            )


def passes(
    rows: Sequence[Row], reports: Iterable[OrganizationReport], *, fail_on: Collection[str]
) -> bool:
    """Whether no key violates a policy in ``fail_on``; log the number of keys that do.

    An active policy that could not be evaluated does not pass.
    """
    violations = violating(rows, fail_on)
    if violations:
        log.error(
            "keys violate a policy given with --fail-on",
            keys=len(violations),
            policies=",".join(
                sorted({policy for row in violations for policy in row.policies} & {*fail_on})
            ),
        )
    unevaluated = {
        policy for each in reports for policy in each.active - each.evaluated if policy in fail_on
    }
    if unevaluated:
        log.error(
            "a policy given with --fail-on cannot be evaluated",
            policies=",".join(sorted(unevaluated)),
        )
    return not violations and not unevaluated


def _render(rows: Sequence[Row], form: str, *, organizations: int, to_file: bool = False) -> bytes:
    if form == "json":
        return as_json(rows).encode()
    if form == "csv":
        return as_csv(rows).encode()
    console = Console(file=io.StringIO() if to_file else None)
    colour = console.color_system is not None and not console.no_color
    table = as_table(rows, organizations=organizations, width=console.width, colour=colour)
    return table.encode("utf-8" if to_file else sys.stdout.encoding, "replace")


def _progress_callback(progress: Progress, organizations: Iterable[str]) -> ProgressCallback:
    """Return a callback that shows the number of listed keys in ``progress``.

    The bar only pulses, because the API does not reliably report the number of keys.
    """
    tasks = {name: progress.add_task(name, total=None) for name in organizations}

    def on_progress(organization: str, keys: int, *, complete: bool) -> None:
        total = max(1, keys) if complete else None
        progress.update(tasks[organization], completed=keys, total=total)

    return on_progress
