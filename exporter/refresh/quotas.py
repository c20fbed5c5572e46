"""The collector of quotas."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from exporter.confluent.client import APPLIED_QUOTAS, QUOTA_SCOPES
from exporter.errors import ApiError
from exporter.refresh.loop import Outcome
from exporter.refresh.state import Failure, Quota, failure_from

if TYPE_CHECKING:
    from exporter.config import Organization
    from exporter.confluent.client import Budget, Client
    from exporter.confluent.wire import AppliedQuota, Id
    from exporter.refresh.state import OrganizationState


class QuotasCollector:
    """Lists the applied quotas of every scope whose codes the configuration includes."""

    name = "quotas"
    endpoints = (QUOTA_SCOPES.endpoint, APPLIED_QUOTAS.endpoint)

    def __init__(self, organization: Organization) -> None:
        self._organization = organization
        self.interval = organization.quotas.refresh_interval

    async def collect(self, client: Client, budget: Budget, state: OrganizationState) -> Outcome:
        """See :class:`~exporter.refresh.loop.Collector`. A scope that fails keeps its rows."""
        patterns = self._organization.quotas.include
        scopes = [
            scope.id
            async for page in client.pages(QUOTA_SCOPES, {}, budget)
            for scope in page.items
        ]
        quotas: list[Quota] = []
        failure: Failure | None = None
        for scope in scopes:
            try:
                rows = [
                    quota_of(item)
                    async for page in client.pages(APPLIED_QUOTAS, {"scope": scope}, budget)
                    for item in page.items
                    if any(fnmatchcase(item.id, pattern) for pattern in patterns)
                ]
            except ApiError as error:
                failure = failure or failure_from(error)
                rows = [quota for quota in state.quotas if quota.scope == scope.lower()]
            quotas += rows
        return Outcome(lambda state: replace(state, quotas=tuple(quotas)), failure)


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
