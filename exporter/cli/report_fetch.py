"""Lists the keys of each organization for ``report`` and checks them against its policies."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

import structlog

from exporter.cli.progress import timeout_failure
from exporter.collectors.api_keys import MAX_KEYS, list_items, rules_of, teams_of
from exporter.collectors.names_listing import list_names
from exporter.collectors.usage_answers import Answers, ask, log_problems
from exporter.collectors.usage_file import UsageStore
from exporter.confluent.endpoints import API_KEYS
from exporter.errors import ApiError, CredentialsError, PaginationError
from exporter.inventory import Directory, Usage, evaluated_kinds, evaluated_policies, key_from
from exporter.inventory.usage import kafka_clusters, retain
from exporter.refresh import failure_from
from exporter.report import ListedKey, build_rows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from exporter.clock import Clock
    from exporter.config import Organization
    from exporter.confluent.host import Host
    from exporter.refresh import Failure
    from exporter.report import Row

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class OrganizationReport:
    """The keys of one organization; none if it ``failed``."""

    organization: str
    rows: Sequence[Row] = ()
    active: frozenset[str] = frozenset()
    """The enabled policies."""
    evaluated: frozenset[str] = frozenset()
    """The active policies that could be evaluated for every requested kind of owner."""
    failed: bool = False


class ProgressCallback(Protocol):
    """Called after each page and at the end of a listing."""

    def __call__(self, organization: str, keys: int, *, complete: bool) -> None:
        """Show that ``keys`` keys of ``organization`` have been listed."""


async def fetch_reports(
    hosts: Iterable[tuple[Organization, Host]],
    *,
    clock: Clock,
    on_progress: ProgressCallback,
    timeout: float | None = None,  # noqa: ASYNC109 # each organization needs its own
    metrics_hosts: Mapping[str, Host] = MappingProxyType({}),
) -> Sequence[OrganizationReport]:
    """Return a report on each organization, in their order; fetch all of them concurrently.

    An organization fails if it takes longer than ``timeout`` seconds. ``metrics_hosts``: those of
    the Metrics API by organization, where usage is enabled.
    """
    return await asyncio.gather(
        *(
            _fetch_report(
                organization,
                host,
                metrics_hosts.get(organization.name),
                clock=clock,
                on_progress=on_progress,
                timeout=timeout,
            )
            for organization, host in hosts
        )
    )


async def _fetch_report(
    organization: Organization,
    host: Host,
    metrics_host: Host | None,
    *,
    clock: Clock,
    on_progress: ProgressCallback,
    timeout: float | None,  # noqa: ASYNC109 # as above
) -> OrganizationReport:
    """List names and keys, one request at a time, and evaluate the policies. Log a failure."""
    with structlog.contextvars.bound_contextvars(organization=organization.name):
        try:
            async with asyncio.timeout(timeout):
                directory = await _names(organization, host, clock)
                listed = await _list(organization, host, on_progress)
                usage = await _usage(organization, metrics_host, listed, clock)
        except (ApiError, CredentialsError) as error:
            failure = failure_from(error)
        except TimeoutError:
            failure = timeout_failure(timeout)
        else:
            return _evaluate(organization, listed, directory, usage, now=clock.wall())
        log.error("organization is missing from the report", **_facts(failure))
        return OrganizationReport(organization.name, failed=True)


def _evaluate(
    organization: Organization,
    listed: Collection[ListedKey],
    directory: Directory,
    usage: Usage,
    *,
    now: float,
) -> OrganizationReport:
    rules = rules_of(organization.policy)
    keys = [each.key for each in listed]
    owners = {key.owner for key in keys}
    kinds = evaluated_kinds(owners, directory)
    wanted = {"service-account", *(["user"] if organization.names.users else [])}
    if wanted & {owner.kind for owner in owners} - {*kinds}:
        kinds = ()  # an owner of a requested kind cannot be evaluated, so the result is unknown
    return OrganizationReport(
        organization.name,
        rows=build_rows(
            organization.name,
            listed,
            rules,
            directory=directory,
            usage=usage,
            now=now,
            teams=teams_of(organization),
        ),
        active=frozenset(rules.active()),
        evaluated=frozenset(evaluated_policies(rules, kinds, usage)),
    )


async def _names(organization: Organization, host: Host, clock: Clock) -> Directory:
    """Return the requested names. Missing names do not fail the report."""
    if not organization.names.enabled:
        return Directory()
    # Names have their own budget, so that the keys have the whole refresh timeout.
    directory, failure = await list_names(
        host,
        await host.begin(timeout=organization.refresh_timeout),
        clock=clock,
        users=organization.names.users,
        page_size=organization.page_size,
    )
    if failure is not None:
        log.warning("names are missing from the report", **_facts(failure))
    return directory


async def _usage(
    organization: Organization,
    host: Host | None,
    listed: Collection[ListedKey],
    clock: Clock,
) -> Usage:
    """Return the activity of owners if a rule needs it. Missing usage does not fail the report."""
    if host is None or "unused_for" not in rules_of(organization.policy).active():
        return Usage()
    known = Usage()
    if store := UsageStore.create(organization, clock=clock):
        deadline = clock.monotonic() + organization.refresh_timeout
        known, failure = await store.read(deadline=deadline)
        if failure is not None:
            log.warning("the report is without older usage", **_facts(failure))
    clusters = kafka_clusters(each.key for each in listed)
    try:
        budget = await host.begin(timeout=organization.refresh_timeout)
        answers = await ask(host, budget, known, clusters, wall=clock.wall())
    except (ApiError, CredentialsError) as error:
        answers = Answers(Usage(), failure_from(error))
    if answers.failure is not None:
        log.warning("usage is missing from the report", **_facts(answers.failure))
    log_problems(answers.problems.items())
    return retain(answers.usage, answers.usage.answered)  # the file may be old about the others


async def _list(
    organization: Organization, host: Host, on_progress: ProgressCallback
) -> Collection[ListedKey]:
    """Return the keys of a complete listing. A key listed twice has its later values."""
    listed: dict[str, ListedKey] = {}
    unreadable = 0
    budget = await host.begin(timeout=organization.refresh_timeout)
    async for items, bad in list_items(host, organization, budget, API_KEYS):
        for item in items:
            spec = item.spec
            listed[item.id] = ListedKey(
                key_from(item), spec.display_name or "", spec.description or ""
            )
        unreadable += len(bad)
        if len(listed) > MAX_KEYS:
            raise PaginationError(
                f"the listing has more than {MAX_KEYS} keys. Narrow it with `filters`",
                endpoint=API_KEYS.endpoint,
            )
        on_progress(organization.name, len(listed), complete=False)
    if unreadable:
        log.warning("unreadable API keys are missing from the report", items=unreadable)
    on_progress(organization.name, len(listed), complete=True)
    return listed.values()


def _facts(failure: Failure) -> dict[str, str]:
    request = {"request_id": failure.request_id} if failure.request_id else {}
    return {"reason": failure.reason, "error": failure.message, **request}
