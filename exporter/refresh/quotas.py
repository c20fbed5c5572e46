"""The collector of quotas."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from exporter.confluent.client import APPLIED_QUOTAS, QUOTA_SCOPES
from exporter.errors import ApiError, PaginationError, Unauthorized
from exporter.refresh.loop import Outcome
from exporter.refresh.state import Failure, Quota, failure_from
from exporter.refresh.unreadable import UnreadableLog

if TYPE_CHECKING:
    from exporter.clock import Clock
    from exporter.config import Organization
    from exporter.confluent.client import Budget, Client
    from exporter.confluent.wire import AppliedQuota, Id
    from exporter.refresh.state import OrganizationState


_MAX_ROWS = 100_000
_STALE_AFTER = 3
"""Intervals: one to the next refresh, one for it to end, and one to spare."""
_KEPT = 1.5
"""Intervals for which rows of a scope that fails are kept: the next refresh, which may start an
interval and a tenth later, drops them before they are stale."""


class QuotasCollector:
    """Lists the applied quotas of every scope whose codes the configuration includes."""

    name = "quotas"
    patient = True
    endpoints = (QUOTA_SCOPES.endpoint, APPLIED_QUOTAS.endpoint)

    def __init__(self, organization: Organization, *, clock: Clock) -> None:
        self._organization = organization
        self._clock = clock
        self.interval = organization.quotas.refresh_interval
        self.stale_after = _STALE_AFTER * self.interval

    async def collect(self, client: Client, budget: Budget, state: OrganizationState) -> Outcome:
        """See :class:`~exporter.refresh.loop.Collector`.

        A scope that fails keeps its rows until they grow old, and leaves those of others alone.
        """
        began = self._clock.monotonic()
        unreadable = UnreadableLog()
        scopes: list[str] = []
        async for page in client.pages(QUOTA_SCOPES, {}, budget):
            unreadable.add(QUOTA_SCOPES.endpoint, page.unreadable)
            scopes += [scope.id for scope in page.items]
        rows: dict[tuple[str, ...], Quota] = {}
        listed: dict[str, float] = {}
        failure: Failure | None = None
        for scope in scopes:
            try:
                found = await self._rows(client, budget, scope, unreadable)
            except Unauthorized:
                raise
            except ApiError as error:
                failure = failure or failure_from(error)
                at = state.quota_scopes.get(scope.lower())
                if at is None or began - at > _KEPT * self.interval:
                    continue
                listed[scope.lower()] = at
                found = [quota for quota in state.quotas if quota.scope == scope.lower()]
            else:
                listed[scope.lower()] = began
            rows |= {quota.place: quota for quota in found}
        unreadable.summarize()
        until = min(listed.values(), default=began) + self.stale_after
        quotas = tuple(rows.values())

        def change(state: OrganizationState) -> OrganizationState:
            return replace(state, quotas=quotas, quota_scopes=listed, quotas_until=until)

        return Outcome(change, failure)

    async def _rows(
        self, client: Client, budget: Budget, scope: str, unreadable: UnreadableLog
    ) -> list[Quota]:
        rows: list[Quota] = []
        async for page in client.pages(APPLIED_QUOTAS, {"scope": scope}, budget):
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


def quota_of(item: AppliedQuota) -> Quota:
    """Return the quota that ``item`` is; scopes come in both cases (facts §3)."""
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
