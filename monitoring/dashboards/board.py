"""A dashboard from its rows of panels, and its text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from monitoring.dashboards.annotations import events
from monitoring.dashboards.sdk import JSONEncoder, dashboard, model

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from monitoring.dashboards.panels import AnyPanel

API_KEYS, HEALTH = "confluent-api-keys", "confluent-api-keys-health"
"""The dashboards' uids."""
TAGS = ("confluent", "api-keys")
_SCHEMA = 39  # Grafana 11's; later ones convert it
_PLUGINS = "11.0.0"  # without it the panels are taken for those of Grafana 6 and converted


@dataclass(frozen=True)
class Row:
    """Panels under a header, or without one."""

    id: int
    title: str
    panels: Sequence[AnyPanel]
    folded: bool = False
    """Closed until somebody opens it; until then nothing in it is asked."""


@dataclass(frozen=True)
class Board:
    """Everything about one dashboard."""

    uid: str
    title: str
    about: str
    variables: Sequence[dashboard.DatasourceVariable | dashboard.QueryVariable]
    other: dashboard.DashboardLink
    """The way to the other dashboard."""
    rows: Sequence[Row]


def link(title: str, uid: str, tooltip: str = "") -> dashboard.DashboardLink:
    """Return a link to a dashboard that keeps the time range and the variables both have."""
    return (
        dashboard.DashboardLink(title)
        .type(model.DashboardLinkType.LINK)
        .icon("dashboard")
        .tooltip(tooltip)
        .url(f"/d/{uid}")
        .include_vars(True)
        .keep_time(True)
    )


def panel_link(title: str, uid: str) -> dashboard.DashboardLink:
    """Return the same for a panel, where Grafana heeds nothing but the URL."""
    return (
        dashboard.DashboardLink(title)
        .type(model.DashboardLinkType.LINK)
        .url(f"/d/{uid}?${{__url_time_range}}&${{__all_variables}}")
    )


def text_of(board: Board) -> str:
    """Return the dashboard as Grafana imports it."""
    builder = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.about)
        .tags(list(TAGS))
        .readonly()
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .refresh("1m")
        .time("now-7d", "now")
        .variables(list(board.variables))
        .annotations(list(events()))
        .links([board.other])
    )
    built = builder.build()
    built.schema_version = _SCHEMA
    built.panels = list(_placed(board.rows))
    fields = json.loads(json.dumps(built, cls=JSONEncoder), object_hook=_in_sight)
    # Without an id Grafana takes the dashboard for a new one, and the SDK leaves out what is null.
    return json.dumps({"id": None, **fields}, indent=2, ensure_ascii=False) + "\n"


def _in_sight(fields: dict[str, Any]) -> dict[str, Any]:
    """Return ``fields`` without what would hide a link or an annotation in a menu.

    The SDK says so unasked, and Grafana does it from 12 on.
    """
    return {name: value for name, value in fields.items() if value != "inControlsMenu"}


def _placed(rows: Sequence[Row]) -> Iterable[model.Panel | model.RowPanel]:
    """Yield the panels, each row of them below the one before."""
    below = 0
    for row in rows:
        header = None
        if row.title:
            place = model.GridPos(h=1, w=24, x=0, y=below)
            header = dashboard.Row(row.title).id(row.id).collapsed(row.folded).grid_pos(place)
            below += 1
        panels = list(_below(below, row.panels))
        if header is not None:
            built = header.build()
            built.panels = panels if row.folded else []
            yield built
        if not row.folded:
            yield from panels
            below = max(panel.grid_pos.y + panel.grid_pos.h for panel in panels if panel.grid_pos)


def _below(top: int, panels: Sequence[AnyPanel]) -> Iterable[model.Panel]:
    for panel in (each.build() for each in panels):
        panel.plugin_version = _PLUGINS
        if panel.grid_pos is not None:  # always; the SDK's type does not say so
            panel.grid_pos.y += top
        yield panel
