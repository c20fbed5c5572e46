"""The listings of ``api.confluent.cloud`` that are served.

See ``docs/confluent-cloud-api.md#listing-api-keys``, ``#names`` and ``#quotas``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter.simulator import other_items as items
from exporter.simulator import paths, responses
from exporter.simulator.faults import next_link, shrunk
from exporter.simulator.key_items import key_item, rendered_id
from exporter.simulator.model import UNSCOPED_KINDS
from exporter.simulator.paging import (
    End,
    Endpoint,
    InvalidQuery,
    Listing,
    page_token,
    page_url,
    parse_query,
)
from exporter.simulator.quotas import SCOPES
from exporter.simulator.records import Records
from exporter.simulator.responses import error_response
from exporter.simulator.sts import MAX_LIFETIME

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from exporter.simulator.accounts import Account
    from exporter.simulator.key_items import Item
    from exporter.simulator.model import SimulatedCluster, SimulatedKey, SimulatedQuota
    from exporter.simulator.organization import SimulatedOrganization
    from exporter.simulator.paging import Filters, Predicate, Query
    from exporter.simulator.requests import ServedRequest
    from exporter.simulator.responses import Response

_QUOTA_PAGE_SIZE = 200
_SCOPES = Records(SCOPES, sort_key=str)


def _required(filters: Filters, name: str) -> str:
    if name not in filters:
        raise InvalidQuery(name, f"{name} is required")
    return filters[name]


def _key_predicate(filters: Filters) -> Predicate[SimulatedKey]:
    if not filters:
        return None
    owner, resource = filters.get("spec.owner"), filters.get("spec.resource")
    return lambda key: (
        (owner is None or (key.owner is not None and key.owner.id == owner))
        and (resource is None or _gives_access(key, resource))
    )


def _gives_access(key: SimulatedKey, wanted: str) -> bool:
    """Whether ``wanted`` is the id of a resource of ``key``, as rendered in its item or not."""
    if wanted.lower() in UNSCOPED_KINDS:
        return any(resource.kind == wanted.lower() for resource in key.resources)
    return any(
        wanted in {resource.id, rendered_id(resource, key.item_format)}
        for resource in key.resources
    )


def _quota_predicate(filters: Filters) -> Predicate[SimulatedQuota]:
    scope = _required(filters, "scope").upper()
    if scope not in SCOPES:
        raise InvalidQuery("scope", f"scope must be one of {', '.join(SCOPES)}")
    return lambda quota: quota.scope == scope


def _clusters(
    path: str, kind: str, item: Callable[[SimulatedCluster, str], Item]
) -> Endpoint[SimulatedCluster]:
    def predicate(filters: Filters) -> Predicate[SimulatedCluster]:
        environment = _required(filters, "environment")
        return lambda cluster: cluster.kind == kind and cluster.environment_id == environment

    return Endpoint(
        path,
        "Cluster",
        lambda organization: organization.clusters,
        item,
        filters=("environment",),
        predicate=predicate,
        has_total_size=kind != "kafka",
    )


_TABLE: tuple[Endpoint[Any], ...] = (
    Endpoint(
        paths.API_KEYS_PATH,
        "ApiKey",
        lambda organization: organization.keys,
        key_item,
        filters=("spec.owner", "spec.resource"),
        predicate=_key_predicate,
    ),
    Endpoint(
        paths.SERVICE_ACCOUNTS_PATH,
        "ServiceAccount",
        lambda organization: organization.service_accounts,
        items.service_account_item,
    ),
    Endpoint(
        paths.USERS_PATH,
        "User",
        lambda organization: organization.users,
        items.user_item,
    ),
    Endpoint(
        paths.ENVIRONMENTS_PATH,
        "Environment",
        lambda organization: organization.environments,
        items.environment_item,
    ),
    Endpoint(
        paths.ORGANIZATIONS_PATH,
        "Organization",
        lambda organization: Records([organization.name], sort_key=lambda _: organization.id),
        items.organization_item,
    ),
    _clusters(paths.KAFKA_CLUSTERS_PATH, "kafka", items.kafka_cluster_item),
    _clusters(paths.SCHEMA_REGISTRIES_PATH, "schema-registry", items.schema_registry_item),
    _clusters(paths.KSQL_CLUSTERS_PATH, "ksql", items.ksql_cluster_item),
    Endpoint(
        paths.REGIONS_PATH,
        "Region",
        lambda organization: organization.regions,
        items.region_item,
        has_total_size=True,
    ),
    Endpoint(
        paths.APPLIED_QUOTAS_PATH,
        "AppliedQuota",
        lambda organization: organization.quota_records,
        items.quota_item,
        filters=("scope",),
        predicate=_quota_predicate,
        max_page_size=_QUOTA_PAGE_SIZE,
    ),
    Endpoint(
        paths.QUOTA_SCOPES_PATH,
        "Scope",
        lambda _: _SCOPES,
        items.scope_item,
        max_page_size=_QUOTA_PAGE_SIZE,
    ),
)
ENDPOINTS: dict[str, Endpoint[Any]] = {endpoint.path: endpoint for endpoint in _TABLE}
"""The served listings by path."""


@dataclass(frozen=True)
class ApiOptions:
    """How the simulated API behaves where the behavior of the real one varies."""

    end: End = End.MISSING
    total_size: bool = False
    """Whether all listings have ``total_size``, not only those where it was seen."""
    path_prefix: str = ""
    """What precedes the paths, such as ``/api``."""
    token_lifetime: int = MAX_LIFETIME
    """The lifetime of the STS's bearer tokens in seconds, at most 900."""


class Listings:
    """The service that answers requests for listings, for all organizations."""

    def __init__(self) -> None:
        self._listings: dict[tuple[str, str], Listing[Any]] = {}

    def respond(
        self,
        request: ServedRequest,
        account: Account,
        *,
        faults: Collection[str],
        options: ApiOptions,
    ) -> Response:
        """Return a page as ``account`` sees it, or an error."""
        path, request_id = request.path_after(options.path_prefix), request.request_id
        endpoint = ENDPOINTS.get(path)
        if endpoint is None:
            return error_response(responses.NOT_FOUND, request_id)
        if request.method != "GET":
            return error_response(responses.METHOD_NOT_ALLOWED, request_id)
        if account.role == "none" or path in account.denied:
            return error_response(responses.FORBIDDEN, request_id)
        try:
            query = parse_query(request.parameters, endpoint)
        except InvalidQuery as error:
            return error_response(
                responses.INVALID_FILTER, request_id, detail=str(error), parameter=error.parameter
            )
        environment = query.filters.get("environment")
        if environment is not None and environment not in account.organization.environments:
            # A 404 was seen too, but only the 403 is documented.
            return error_response(responses.FORBIDDEN, request_id)
        listing = self._listing(account.organization, endpoint)
        visible = _visible_to(account, listing, faults)
        records, more = listing.page(query, visible=visible)
        token = None
        if more or (records and options.end is End.EMPTY_PAGE):
            token = page_token(listing.sort_key(records[-1]))
        metadata = _links(request, query, next_link(faults, request, query, token), options.end)
        if options.total_size or endpoint.has_total_size:
            metadata["total_size"] = listing.total(query, visible=visible)
        return responses.json_response(listing.encode(records, metadata))

    def _listing(
        self, organization: SimulatedOrganization, endpoint: Endpoint[Any]
    ) -> Listing[Any]:
        listing = self._listings.get((organization.id, endpoint.path))
        if listing is None:
            listing = Listing(organization, endpoint)
            self._listings[organization.id, endpoint.path] = listing
        return listing


def _visible_to(account: Account, listing: Listing[Any], faults: Collection[str]) -> Predicate[Any]:
    path = listing.endpoint.path
    if path in account.empty:
        return lambda _: False
    visible = account.visible if path == paths.API_KEYS_PATH else None
    return shrunk(visible, listing.sort_key) if "shrink" in faults else visible


def _links(
    request: ServedRequest, query: Query[Any], following: str | None, end: End
) -> dict[str, object]:
    """Return ``metadata`` without ``total_size``."""
    if following is not None:
        return {"first": page_url(request.url, query, None), "next": following}
    if end is End.NULL:
        return {"first": None, "last": None, "prev": None, "next": None}
    if end is End.EMPTY_STRING:
        return {"first": "", "next": ""}
    return {}
