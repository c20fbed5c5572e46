"""The part of a dashboard that a picture shows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Json = dict[str, Any]
"""A JSON object, such as a dashboard, a panel or a query."""
COLUMNS = 24
"""The width of Grafana's grid."""
PANEL_TYPES = frozenset({"bargauge", "row", "stat", "table", "timeseries"})
"""The types of panels that the tool can draw."""


def cut(board: Json, *, rows: Mapping[str, int]) -> Json:
    """Return the dashboard with only the panels at the top and in the named ``rows``.

    The number of a row is the height to show, in rows of Grafana's grid. Panels that end below it
    are left out. Raises ``ValueError`` for an unknown row or a panel that the tool cannot draw.
    """
    panels = board["panels"]
    unknown = {panel["type"] for panel in panels} - PANEL_TYPES
    if unknown:
        raise ValueError(f"cannot draw panels of type {', '.join(sorted(unknown))}")
    missing = rows.keys() - {panel["title"] for panel in panels if panel["type"] == "row"}
    if missing:
        raise ValueError(f"{board['title']} has no row {', '.join(sorted(missing))}")
    shown: list[Json] = []
    moved, end = 0, math.inf
    for panel in panels:
        place = panel["gridPos"]
        bottom = place["y"] + place["h"]
        if panel["type"] == "row":
            height = rows.get(panel["title"])
            if height is None:
                end = -math.inf
                continue
            moved = place["y"] - grid_rows(shown)
            end = bottom + height
        if bottom <= end:
            shown.append({**panel, "gridPos": {**place, "y": place["y"] - moved}})
    return {**board, "panels": shown}


def grid_rows(panels: Iterable[Json]) -> int:
    """Return the height of the panels in rows of Grafana's grid."""
    bottoms: list[int] = [each["gridPos"]["y"] + each["gridPos"]["h"] for each in panels]
    return max(bottoms)
