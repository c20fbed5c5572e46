"""The dashboards in the repository."""

from __future__ import annotations

import json
from typing import Any

from tests.programs import ROOT

FOLDER = ROOT / "grafana" / "dashboards"
BOARDS: dict[str, Any] = {
    file.name: json.loads(file.read_text()) for file in sorted(FOLDER.glob("*.json"))
}


def panels_of(board: Any) -> list[Any]:
    """Return the panels, including those in collapsed rows."""
    return [panel for panel in everything_of(board) if panel["type"] != "row"]


def everything_of(board: Any) -> list[Any]:
    """Return panels and rows; a collapsed row contains its panels."""
    return [each for top in board["panels"] for each in (top, *top.get("panels", []))]


PANELS = {
    f"{name}: {panel['title']}": panel
    for name, board in BOARDS.items()
    for panel in panels_of(board)
}
