"""What ``report`` learns of each organization: a complete listing of its keys, judged."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import structlog

from exporter.cli.report_rows import ListedKey, rows_of
from exporter.cli.waiting import timed_out
from exporter.collectors.api_keys import MAX_KEYS, list_items, rules_of
from exporter.collectors.names import list_names
from exporter.confluent.endpoints import API_KEYS
from exporter.errors import ApiError, CredentialsError, PaginationError
from exporter.inventory import Directory, judged, judged_kinds, key_of
from exporter.refresh import failure_from

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from exporter.cli.report_rows import Row
    from exporter.clock import Clock
    from exporter.config import Organization
    from exporter.confluent.host import Host
    from exporter.refresh import Failure

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Survey:
    """What was listed of one organization; nothing if it ``failed``."""

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


async def surveys_of(
    hosts: Iterable[tuple[Organization, Host]],
    *,
    clock: Clock,
    listener: Listener,
    timeout: float | None = None,  # noqa: ASYNC109 # each organization needs its own
) -> Sequence[Survey]:
    """Survey every organization, all at the same time; return them in their order.

    An organization whose survey takes longer than ``timeout`` seconds has failed.
    """
    return await asyncio.gather(
        *(_survey(*each, clock=clock, listener=listener, timeout=timeout) for each in hosts)
    )


async def _survey(
    organization: Organization,
    host: Host,
    *,
    clock: Clock,
    listener: Listener,
    timeout: float | None,  # noqa: ASYNC109 # as above
) -> Survey:
    """List names and keys, one request after the other, and judge the keys; say what failed."""
    with structlog.contextvars.bound_contextvars(organization=organization.name):
        try:
            async with asyncio.timeout(timeout):
                directory = await _names(organization, host, clock)
                listed = await _list(organization, host, listener)
        except (ApiError, CredentialsError) as error:
            failure = failure_from(error)
        except TimeoutError:
            failure = timed_out(timeout)
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


async def _names(organization: Organization, host: Host, clock: Clock) -> Directory:
    """Return the names that are wanted and can be had; without them, ids stand alone."""
    if not organization.names.enabled:
        return Directory()
    # A budget of their own, as in the exporter: the keys have the whole time of a refresh.
    directory, failure = await list_names(
        host,
        await host.begin(timeout=organization.refresh_timeout),
        clock=clock,
        users=organization.names.users,
        page_size=organization.page_size,
    )
    if failure is not None:
        log.warning("names are missing in the report", **_facts(failure))
    return directory


async def _list(
    organization: Organization, host: Host, listener: Listener
) -> Collection[ListedKey]:
    """Return the keys of a complete listing; of one that comes twice, the later reading."""
    listed: dict[str, ListedKey] = {}
    unreadable = 0
    budget = await host.begin(timeout=organization.refresh_timeout)
    async for items, bad in list_items(host, organization, budget, API_KEYS):
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
