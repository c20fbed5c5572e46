"""A dashboard built from rows of panels, and its JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from monitoring.dashboards.annotations import event_annotations
from monitoring.dashboards.sdk import JSONEncoder, dashboard, model

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from monitoring.dashboards.panels import AnyPanel

API_KEYS, HEALTH = "confluent-api-keys", "confluent-api-keys-health"
"""The uids of the dashboards."""
TAGS = ("confluent", "api-keys")
_SCHEMA = 39  # Grafana 11's; later ones convert it
_PLUGINS = "11.0.0"  # without a version, Grafana migrates panels as from version 6


@dataclass(frozen=True)
class Row:
    """Panels below a header. The first row has no title and no header."""

    id: int
    title: str
    panels: Sequence[AnyPanel]
    collapsed: bool = False
    """Its queries run only after a user opens it."""


@dataclass(frozen=True)
class Dashboard:
    """The contents of one dashboard."""

    uid: str
    title: str
    description: str
    variables: Sequence[dashboard.DatasourceVariable | dashboard.QueryVariable]
    link: dashboard.DashboardLink
    """A link to the other dashboard."""
    rows: Sequence[Row]


def link(title: str, uid: str, tooltip: str = "") -> dashboard.DashboardLink:
    """Return a link to a dashboard. It keeps the time range and the variables."""
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
    """Return the same link for a panel, where Grafana uses only the URL."""
    return (
        dashboard.DashboardLink(title)
        .type(model.DashboardLinkType.LINK)
        .url(f"/d/{uid}?${{__url_time_range}}&${{__all_variables}}")
    )


def as_json(board: Dashboard) -> str:
    """Return the JSON of the dashboard, ready for import."""
    builder = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags(list(TAGS))
        .readonly()
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .refresh("1m")
        .time("now-7d", "now")
        .variables(list(board.variables))
        .annotations(list(event_annotations()))
        .links([board.link])
    )
    built = builder.build()
    built.schema_version = _SCHEMA
    built.panels = list(_placed(board.rows))
    fields = json.loads(json.dumps(built, cls=JSONEncoder), object_hook=_without_menus)
    # Grafana expects an id of null in a new dashboard, and the SDK omits null values.
    return json.dumps({"id": None, **fields}, indent=2, ensure_ascii=False) + "\n"


def _without_menus(fields: dict[str, Any]) -> dict[str, Any]:
    """Return ``fields`` without the SDK's default that hides links and annotations in a menu."""
    return {name: value for name, value in fields.items() if value != "inControlsMenu"}


def _placed(rows: Sequence[Row]) -> Iterable[model.Panel | model.RowPanel]:
    """Yield the panels of all rows from top to bottom."""
    below = 0
    for row in rows:
        header = None
        if row.title:
            place = model.GridPos(h=1, w=24, x=0, y=below)
            header = dashboard.Row(row.title).id(row.id).collapsed(row.collapsed).grid_pos(place)
            below += 1
        panels = list(_below(below, row.panels))
        if header is not None:
            built = header.build()
            built.panels = panels if row.collapsed else []
            yield built
        if not row.collapsed:
            yield from panels
            below = max(panel.grid_pos.y + panel.grid_pos.h for panel in panels if panel.grid_pos)


def _below(top: int, panels: Sequence[AnyPanel]) -> Iterable[model.Panel]:
    for panel in (each.build() for each in panels):
        panel.plugin_version = _PLUGINS
        if panel.grid_pos is not None:  # always set, but optional in the SDK
            panel.grid_pos.y += top
        yield panel
