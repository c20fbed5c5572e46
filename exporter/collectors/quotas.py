"""The collector of quotas."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from heapq import nlargest
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

import msgspec

from exporter.collectors.api_keys import API_KEYS_STATE
from exporter.collectors.names import DIRECTORY
from exporter.collectors.unreadable import UnreadableLog
from exporter.confluent.endpoints import APPLIED_QUOTAS, QUOTA_SCOPES
from exporter.confluent.listing import pages
from exporter.errors import ApiError, PaginationError
from exporter.exposition import catalogue, part
from exporter.inventory.quotas import counted_usage
from exporter.refresh import Failure, Outcome, Slice, failure_from
from exporter.summary import Level, Row, Summary, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Self

    from exporter.clock import Clock
    from exporter.config import Organization
    from exporter.confluent.host import Host
    from exporter.confluent.request import Budget
    from exporter.confluent.wire import AppliedQuota, Id
    from exporter.exposition import Part
    from exporter.exposition.catalogue import Metric
    from exporter.inventory import Directory, Inventory
    from exporter.refresh import OrganizationState

_MAX_ROWS = 100_000
_STALE_AFTER = 3
"""Intervals: one until the next refresh, one for it to end, and one to spare."""
_KEPT = 1.5
"""Intervals for which the rows of a failing scope are kept. The next refresh usually starts at most
1.1 intervals later and drops them before they are stale."""
_SUMMARIZED = 5
_WARNING, _ERROR = 0.8, 0.95  # of the limit, as in the alerts


class Quota(msgspec.Struct, frozen=True, gc=False):
    """One applied quota."""

    id: str
    """Its code, such as ``iam.max_cloud_api_keys.per_org``."""
    scope: str
    """In lower case, such as ``kafka_cluster``."""
    limit: int
    usage: int | None
    """None where the API does not report it, which is not 0."""
    owner_id: str
    environment_id: str
    resource_id: str
    """The ids that the quota applies to; each is empty where it does not apply to one."""

    @property
    def identity(self) -> tuple[str, ...]:
        """The values that no other quota has: the labels of its series."""
        return self.id, self.scope, self.owner_id, self.environment_id, self.resource_id


@dataclass(frozen=True)
class QuotasState:
    """The latest listing of the quotas."""

    quotas: Sequence[Quota] = ()
    scopes: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """By scope, in lower case: monotonic seconds when the listing of its quotas began."""
    fresh_until: float = 0.0
    """Monotonic seconds; from then on they are too old to be published."""


QUOTAS_STATE = Slice("quotas", QuotasState())


class QuotasCollector:
    """Lists the applied quotas of every scope whose codes the configuration includes."""

    name = QUOTAS_STATE.collector
    low_priority = True
    host_name = "api"
    endpoints = (QUOTA_SCOPES.endpoint, APPLIED_QUOTAS.endpoint)
    metrics: ClassVar[Sequence[Metric]] = catalogue.QUOTAS.metrics

    def __init__(self, organization: Organization, *, clock: Clock) -> None:
        self._organization = organization
        self._clock = clock
        self.interval = organization.quotas.refresh_interval
        self.stale_after = _STALE_AFTER * self.interval

    @classmethod
    def create(cls, organization: Organization, *, clock: Clock) -> Self | None:
        """See :class:`~exporter.collectors.Collector`."""
        return cls(organization, clock=clock) if organization.quotas.enabled else None

    async def collect(self, host: Host, budget: Budget, state: OrganizationState) -> Outcome:
        """See :class:`~exporter.refresh.RefreshedCollector`.

        If a scope fails, its rows stay until they are too old; other scopes are not affected.
        """
        began = self._clock.monotonic()
        before = state.get(QUOTAS_STATE)
        unreadable = UnreadableLog()
        scopes: list[str] = []
        async for page in pages(
            host, QUOTA_SCOPES, {}, budget, page_size=self._organization.page_size
        ):
            unreadable.add(QUOTA_SCOPES.endpoint, page.unreadable)
            scopes += [scope.id for scope in page.items]
        rows: dict[tuple[str, ...], Quota] = {}
        listed: dict[str, float] = {}
        failure: Failure | None = None
        for scope in scopes:
            try:
                found = await self._rows(host, budget, scope, unreadable)
            except ApiError as error:
                if not APPLIED_QUOTAS.may_fail_alone(error):
                    raise
                failure = failure or failure_from(error)
                at = before.scopes.get(scope.lower())
                if at is None or began - at > _KEPT * self.interval:
                    continue
                listed[scope.lower()] = at
                found = [quota for quota in before.quotas if quota.scope == scope.lower()]
            else:
                listed[scope.lower()] = began
            rows |= {quota.identity: quota for quota in found}
        unreadable.summarize()
        until = min(listed.values(), default=began) + self.stale_after
        after = QuotasState(tuple(rows.values()), listed, until)
        return Outcome(lambda state: state.with_slice(QUOTAS_STATE, after), failure)

    async def _rows(
        self, host: Host, budget: Budget, scope: str, unreadable: UnreadableLog
    ) -> list[Quota]:
        rows: list[Quota] = []
        async for page in pages(
            host, APPLIED_QUOTAS, {"scope": scope}, budget, page_size=self._organization.page_size
        ):
            unreadable.add(APPLIED_QUOTAS.endpoint, page.unreadable)
            rows += [quota_of(item) for item in page.items if self._includes(item.id)]
            if len(rows) > _MAX_ROWS:
                raise PaginationError(
                    f"more than {_MAX_ROWS} quotas of one scope. They are not used",
                    endpoint=APPLIED_QUOTAS.endpoint,
                )
        return rows

    def _includes(self, code: str) -> bool:
        return any(fnmatchcase(code, each) for each in self._organization.quotas.include)

    def derive(self, state: OrganizationState, *, now: float) -> OrganizationState:
        """Return ``state``: nothing in it depends on other slices."""
        del now
        return state

    def render(self, state: OrganizationState, before: OrganizationState | None) -> Iterable[Part]:
        """Yield the quotas, and the usage of some of them as counted from the keys."""
        del before
        mine = state.get(QUOTAS_STATE)
        labels = [(each, (state.name, *each.identity)) for each in mine.quotas]
        reported = ((at, quota.usage) for quota, at in labels if quota.usage is not None)
        yield part(
            [
                (catalogue.QUOTA_LIMIT, ((at, quota.limit) for quota, at in labels)),
                (catalogue.QUOTA_USAGE, reported),
            ],
            fresh_until=mine.fresh_until,
        )
        keys = state.get(API_KEYS_STATE)
        if keys.inventory is None:
            return
        counted = (
            (at, usage)
            for quota, at in labels
            if (usage := self._counted_usage(quota, keys.inventory)) is not None
        )
        yield part(
            [(catalogue.QUOTA_COUNTED, counted)],
            fresh_until=min(mine.fresh_until, keys.fresh_until(self._organization)),
        )

    def _counted_usage(self, quota: Quota, inventory: Inventory) -> int | None:
        """Return the usage as counted from the keys, None where they do not tell."""
        if self._organization.filters.exclude_keys:
            return None
        return counted_usage(
            inventory, quota.id, owner_id=quota.owner_id, cluster_id=quota.resource_id
        )

    def summarize(self, state: OrganizationState) -> Summary:
        """Return the quotas that are closest to their limits."""
        keys, now = state.get(API_KEYS_STATE), self._clock.monotonic()
        inventory = keys.inventory if now < keys.fresh_until(self._organization) else None
        rows = self._summary_rows(state.get(QUOTAS_STATE), inventory, state.get(DIRECTORY))
        nearest = nlargest(_SUMMARIZED, rows, key=lambda row: row[0])
        table = Table("Quotas closest to their limits", "quotas", [row for _, row in nearest])
        return Summary(tables=(table,))

    def _summary_rows(
        self, mine: QuotasState, inventory: Inventory | None, directory: Directory
    ) -> Iterator[tuple[float, Row]]:
        """Yield used ÷ limit and the row of each quota whose usage is known."""
        if self._clock.monotonic() >= mine.fresh_until:
            return
        for quota in mine.quotas:
            used = quota.usage
            if used is None and inventory is not None:
                used = self._counted_usage(quota, inventory)
            if used is None:
                continue
            ratio = used / quota.limit if quota.limit > 0 else 1.0
            level: Level = "error" if ratio >= _ERROR else "warning" if ratio >= _WARNING else ""
            name = directory.owner_name(quota.owner_id) or directory.resource_name(
                quota.resource_id
            )
            ids = (name, quota.owner_id, quota.resource_id, quota.environment_id)
            about = " ".join(each for each in ids if each)
            notes = [about] if about else []
            yield ratio, Row(quota.id, used, limit=quota.limit, notes=notes, level=level)


def quota_of(item: AppliedQuota) -> Quota:
    """Return ``item`` as a quota; the API spells scopes in both cases."""
    others = (item.kafka_cluster, item.network, item.identity_provider, item.certificate_authority)
    return Quota(
        id=item.id,
        scope=item.scope.lower(),
        limit=item.applied_limit,
        usage=item.usage,
        owner_id=_id(item.user),
        environment_id=_id(item.environment),
        resource_id=next((each.id for each in others if each is not None), ""),
    )


def _id(reference: Id | None) -> str:
    return "" if reference is None else reference.id
