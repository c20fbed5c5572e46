"""The status page of every organization, without scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.web.keys_query import query_for
from exporter.web.templates import moment, template

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exporter.refresh import OrganizationState
    from exporter.summary import Summary

_RELOAD, _FIRST_RELOAD = 60, 10
"""Seconds between reloads, and while a first refresh is still in progress."""
_PAGE = template("status_page.html.j2")


def render_status_page(
    organizations: Sequence[tuple[OrganizationState, Sequence[Summary]]],
    *,
    shard: str = "",
    rejected: Mapping[str, str],
    wall: float,
    telemetry_path: str,
    inventory: bool,
) -> str:
    """Return the page at the Unix time ``wall``: each organization with its summaries.

    ``shard``: in words; empty without sharding.
    ``rejected``: the problems of the configurations whose latest version was rejected, by name.
    ``inventory``: whether there is a page of the keys to link to.
    """
    attempted = all(state.attempted for state, _ in organizations)

    def keys_url(organization: str, selects: Mapping[str, str]) -> str:
        """Return the URL of the keys that ``selects`` describes; empty if there is none."""
        if not (inventory and selects):
            return ""
        return f"keys{query_for({'organization': organization, **selects})}"

    return _PAGE.render(
        organizations=organizations,
        reload_seconds=_RELOAD if attempted else _FIRST_RELOAD,
        shard=shard,
        rejected=rejected,
        telemetry_path=telemetry_path,
        inventory=inventory,
        keys_url=keys_url,
        now=moment(wall, now=wall).at,
        moment=lambda at: moment(at, now=wall),
        now_wall=wall,
    )
