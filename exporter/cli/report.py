"""``report``: the keys themselves, one by one, where the metrics only count."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import structlog
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from exporter import config
from exporter.app import Exporter
from exporter.cli.report_output import as_csv, as_json, as_table
from exporter.cli.report_rows import ListedKey, Selection, rows_of, violating
from exporter.cli.signals import kept_from_new_threads, run_to_its_answer
from exporter.clock import SystemClock
from exporter.confluent.client import API_KEYS
from exporter.errors import ApiError, CredentialsError, PaginationError
from exporter.inventory import Directory, judged, judged_kinds, key_of
from exporter.refresh.api_keys import MAX_KEYS, list_items
from exporter.refresh.folding import rules_of
from exporter.refresh.names import list_names
from exporter.refresh.state import failure_from

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from exporter.cli.report_rows import Row
    from exporter.clock import Clock
    from exporter.config import Organization
    from exporter.confluent.client import Client
    from exporter.refresh.state import Failure

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Survey:
    """What could be learnt of one organization; nothing if it ``failed``."""

    organization: str
    rows: Sequence[Row] = ()
    active: frozenset[str] = frozenset()
    """The policies that are on."""
    judged: frozenset[str] = frozenset()
    """Those of them that could be judged with what is known, for all kinds of owners wanted."""
    failed: bool = False


class Listener(Protocol):
    """Who wants to know how far the listings are."""

    def __call__(self, organization: str, keys: int, *, complete: bool) -> None:
        """So many ``keys`` of ``organization`` have been listed."""


def report(options: argparse.Namespace) -> int:
    """Print the keys that are wanted.

    1 if an organization failed, or if a key violates a policy of ``--fail-on``.
    """
    loaded = config.load(options.config_file, environ=os.environ)
    clock = SystemClock()
    exporter = Exporter(loaded, clock=clock, process_metrics=False)

    async def ask(listener: Listener) -> Sequence[Survey]:
        try:
            return await surveys_of(exporter.clients(), clock=clock, listener=listener)
        finally:
            await exporter.aclose()

    with _progress([each.name for each in loaded.organizations]) as listener:
        surveys = run_to_its_answer(ask(listener))
    wanted = Selection(
        owners=tuple(options.owner),
        resources=tuple(options.resource),
        environments=tuple(options.environment),
        min_age=options.min_age,
        max_age=options.max_age,
    ).of(row for survey in surveys for row in survey.rows)
    shown = violating(wanted, options.policy) if options.policy else wanted
    sys.stdout.buffer.write(_written(shown, options.format, organizations=len(surveys)))
    say_what_is_not_judged(surveys, asked={*options.policy, *options.fail_on})
    passed = passes(wanted, surveys, fail_on=options.fail_on)
    return 1 if not passed or any(survey.failed for survey in surveys) else 0


async def surveys_of(
    clients: Iterable[tuple[Organization, Client]], *, clock: Clock, listener: Listener
) -> Sequence[Survey]:
    """Survey every organization, all at the same time; return them in their order."""
    return await asyncio.gather(
        *(_survey(*each, clock=clock, listener=listener) for each in clients)
    )


async def _survey(
    organization: Organization, client: Client, *, clock: Clock, listener: Listener
) -> Survey:
    """List names and keys, one request after the other, and judge the keys; say what failed."""
    with structlog.contextvars.bound_contextvars(organization=organization.name):
        try:
            directory = await _names(organization, client, clock)
            listed = await _list(organization, client, listener)
        except (ApiError, CredentialsError) as error:
            failure = failure_from(error)
        else:
            return _surveyed(organization, listed, directory, now=clock.wall())
        log.error("the organization is not in the report", **_facts(failure))
        return Survey(organization.name, failed=True)


def _surveyed(
    organization: Organization, listed: Collection[ListedKey], directory: Directory, *, now: float
) -> Survey:
    rules = rules_of(organization.policy)
    keys = [each.key for each in listed]
    owners = {key.owner for key in keys}
    kinds = judged_kinds(owners, directory)
    wanted = {"service-account", *(["user"] if organization.names.users else [])}
    if wanted & {owner.kind for owner in owners} - {*kinds}:
        kinds = ()  # a part that was to be judged is not: nobody knows the answer
    return Survey(
        organization.name,
        rows=rows_of(organization.name, listed, rules, directory=directory, now=now),
        active=frozenset(rules.active()),
        judged=frozenset(judged(rules, kinds)),
    )


async def _names(organization: Organization, client: Client, clock: Clock) -> Directory:
    """Return the names that are wanted and can be had; without them, ids stand alone."""
    if not organization.names.enabled:
        return Directory()
    # A budget of their own, as in the exporter: the keys have the whole time of a refresh.
    directory, failure = await list_names(
        client, client.budget(), clock=clock, users=organization.names.users
    )
    if failure is not None:
        log.warning("names are missing in the report", **_facts(failure))
    return directory


async def _list(
    organization: Organization, client: Client, listener: Listener
) -> Collection[ListedKey]:
    """Return the keys of a complete listing; of one that comes twice, the later reading."""
    listed: dict[str, ListedKey] = {}
    unreadable = 0
    async for items, bad in list_items(client, organization.filters, client.budget(), API_KEYS):
        for item in items:
            spec = item.spec
            listed[item.id] = ListedKey(
                key_of(item), spec.display_name or "", spec.description or ""
            )
        unreadable += len(bad)
        if len(listed) > MAX_KEYS:
            raise PaginationError(
                f"the listing has more than {MAX_KEYS} keys. It is not used; list less with"
                " `filters`",
                endpoint=API_KEYS.endpoint,
            )
        listener(organization.name, len(listed), complete=False)
    if unreadable:
        log.warning("unreadable api keys; they are not in the report", items=unreadable)
    listener(organization.name, len(listed), complete=True)
    return listed.values()


def _facts(failure: Failure) -> dict[str, str]:
    request = {"request_id": failure.request_id} if failure.request_id else {}
    return {"reason": failure.reason, "error": failure.message, **request}


def say_what_is_not_judged(surveys: Iterable[Survey], *, asked: Collection[str]) -> None:
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


def passes(wanted: Sequence[Row], surveys: Iterable[Survey], *, fail_on: Collection[str]) -> bool:
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
    if not wanted:
        log.warning("no key is like what was asked for")
    return not found and not unknown


def _written(rows: Sequence[Row], form: str, *, organizations: int) -> bytes:
    if form == "json":
        return as_json(rows).encode()
    if form == "csv":
        return as_csv(rows).encode()
    output = Console()
    colour = output.color_system is not None and not output.no_color
    table = as_table(rows, organizations=organizations, width=output.width, colour=colour)
    return table.encode(sys.stdout.encoding, "replace")


@contextlib.contextmanager
def _progress(organizations: Iterable[str]) -> Iterator[Listener]:
    """Show on standard error how many keys are listed, while the context is open.

    Only on a terminal. The bar just moves: how many there will be, the API does not say.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed:.0f} keys", markup=False),
    )
    progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with kept_from_new_threads():
        progress.start()
    try:
        tasks = {name: progress.add_task(name, total=None) for name in organizations}

        def listener(organization: str, keys: int, *, complete: bool) -> None:
            total = max(1, keys) if complete else None
            progress.update(tasks[organization], completed=keys, total=total)

        yield listener
    finally:
        progress.stop()
