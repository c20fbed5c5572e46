"""The keys that a query selects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.report import SelectedKeys, matcher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.inventory import Key
    from exporter.report import LatestListing, OrganizationKeys
    from exporter.web.keys_query import KeysQuery


def selected_listings(listings: Sequence[LatestListing], query: KeysQuery) -> list[LatestListing]:
    """Return the listings of the organizations that ``query`` selects."""
    matches = matcher(query.values("organization"))
    return [each for each in listings if matches(each.organization)]


def select(listings: Sequence[LatestListing], query: KeysQuery) -> SelectedKeys:
    """Return the keys of ``listings`` that ``query`` selects. Takes long for many keys."""
    organizations = [each.keys for each in listings if each.keys is not None]
    return SelectedKeys([(each, _selected(each, query)) for each in organizations], query.sorting)


def _selected(listed: OrganizationKeys, query: KeysQuery) -> Sequence[Key]:
    keys = query.selection.keys(listed)
    if policies := query.values("policy"):
        violating = listed.ids_violating(policies)
        keys = [key for key in keys if key.id in violating]
    return keys
