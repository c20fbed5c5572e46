"""The answer to an authenticated request, unless a fault answers in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.simulator import answers
from exporter.simulator.effects import next_link, shrunk
from exporter.simulator.listing import Listing
from exporter.simulator.listings import ENDPOINTS
from exporter.simulator.paths import API_KEYS_PATH
from exporter.simulator.query import End, InvalidQuery, link, parse_query, token_after

if TYPE_CHECKING:
    from exporter.simulator.accounts import Account
    from exporter.simulator.answers import Answer
    from exporter.simulator.asked import Asked
    from exporter.simulator.listing import Seen
    from exporter.simulator.organization import SimulatedOrganization
    from exporter.simulator.query import Query, Rules


class Server:
    """Serves the listings of all organizations, and keeps each for the next time."""

    def __init__(self) -> None:
        self._listings: dict[tuple[str, str], Listing[Any]] = {}

    def answer(self, asked: Asked, account: Account, faults: set[str], rules: Rules) -> Answer:
        """Return what ``account`` gets: a page, or the error for a request that is not served."""
        path = asked.path_behind(rules.path_prefix)
        if path not in ENDPOINTS:
            return answers.not_found(asked.id)
        if asked.method != "GET":
            return answers.method_not_allowed(asked.id)
        if account.role == "none" or path in account.denied:
            return answers.forbidden(asked.id)
        try:
            query = parse_query(asked.parameters, rules, ENDPOINTS[path])
        except InvalidQuery as error:
            return answers.bad_parameter(asked.id, error.parameter, str(error))
        organization = account.organization
        if _in_unknown_place(query, path, organization):
            refuse = answers.forbidden
            if rules.unknown_environment_is_not_found:
                refuse = answers.not_found
            return refuse(asked.id)
        listing = self._listing(organization, path)
        seen = _view(account, listing, faults)
        return answers.json_answer(
            _page(listing, query, seen=seen, asked=asked, faults=faults, rules=rules)
        )

    def _listing(self, organization: SimulatedOrganization, path: str) -> Listing[Any]:
        listing = self._listings.get((organization.id, path))
        if listing is None:
            listing = Listing(organization, ENDPOINTS[path])
            self._listings[organization.id, path] = listing
        return listing


def _in_unknown_place(query: Query, path: str, organization: SimulatedOrganization) -> bool:
    if ENDPOINTS[path].required != "environment":
        return False
    (place,) = query.filters["environment"]
    return place not in organization.directory.environments


def _view(account: Account, listing: Listing[Any], faults: set[str]) -> Seen[Any]:
    """Return what ``account`` sees of a listing, before the filters that it asks for."""
    path = listing.endpoint.path
    if path in account.empty:
        return lambda _: False
    seen = account.visible if path == API_KEYS_PATH else None
    return shrunk(seen, listing.name_of) if "shrink" in faults else seen


def _page(
    listing: Listing[Any],
    query: Query,
    *,
    seen: Seen[Any],
    asked: Asked,
    faults: set[str],
    rules: Rules,
) -> bytes:
    records, more = listing.page(query, seen=seen)
    if records and rules.end is End.EMPTY_PAGE:
        more = True
    token = token_after(listing.name_of(records[-1])) if more else None
    link_to_next = next_link(faults, asked, query, token)
    metadata: dict[str, object] = {}
    if link_to_next is not None:
        metadata |= {"first": link(asked.address, query, None), "next": link_to_next}
    elif rules.end is End.NULL:
        metadata |= {"first": None, "last": None, "prev": None, "next": None}
    elif rules.end is End.EMPTY_STRING:
        metadata |= {"first": "", "next": ""}
    if rules.total_size or listing.endpoint.tells_total_size:
        metadata["total_size"] = listing.total(query, seen=seen)
    return listing.encode(records, metadata)
