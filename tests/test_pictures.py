"""The pictures in the documentation, and the tool that draws those of the dashboards."""

from __future__ import annotations

import re
from typing import Any

import pytest

from monitoring.pictures.boards import PICTURES
from monitoring.pictures.layout import PANEL_TYPES, cut, grid_rows
from tests.grafana.boards import BOARDS, PANELS
from tests.programs import ROOT

FOLDER = ROOT / "docs" / "pictures"
SOURCES = ROOT / "monitoring" / "pictures" / "grafana"
NAMES = ["dashboard-api-keys", "dashboard-exporter-health", "status-page-dark", "status-page-light"]
MAX_BYTES = 400_000


def panel(title: str, *, y: int, h: int, kind: str = "stat") -> dict[str, Any]:
    return {"title": title, "type": kind, "gridPos": {"x": 0, "y": y, "w": 24, "h": h}}


BOARD = {
    "title": "Board",
    "panels": [
        panel("top", y=0, h=4),
        panel("First", y=4, h=1, kind="row"),
        panel("first 1", y=5, h=8),
        panel("first 2", y=13, h=8),
        panel("Second", y=21, h=1, kind="row"),
        panel("second 1", y=22, h=6),
        panel("second 2", y=28, h=6),
    ],
}


@pytest.mark.parametrize("name", NAMES)
def test_each_picture_is_a_png_of_a_limited_size(name: str) -> None:
    picture = (FOLDER / f"{name}.png").read_bytes()

    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(picture) < MAX_BYTES
    assert int.from_bytes(picture[16:20], "big") in range(1280, 1401)  # the width


def test_there_is_no_other_picture() -> None:
    assert sorted(file.stem for file in FOLDER.iterdir()) == NAMES


def test_the_readme_shows_each_dashboard_and_the_status_page() -> None:
    shown = set(re.findall(r"!\[.+\]\(docs/pictures/(.+)\.png\)", (ROOT / "README.md").read_text()))

    assert shown == {*(f"dashboard-{name}" for name in PICTURES), "status-page-dark"}
    assert {f"{name}.json" for name in PICTURES} == BOARDS.keys()


def test_the_tool_draws_each_type_of_panel_of_the_dashboards() -> None:
    types = {panel["type"] for panel in PANELS.values()}
    drawn = re.search(r"const TYPES = \{ (.+) \}", (SOURCES / "panels.jsx").read_text())

    assert drawn is not None
    assert types == {each.split(":")[0] for each in drawn[1].split(", ")}
    assert types | {"row"} == PANEL_TYPES


def test_the_tool_applies_each_property_and_transformation_of_the_dashboards() -> None:
    """It stops with an error otherwise, but only when somebody draws the pictures."""
    known = set(re.findall(r'"([A-Za-z]+)"', (SOURCES / "frames.js").read_text()))
    fields = [panel["fieldConfig"] for panel in PANELS.values()]
    used = {
        *(name for each in fields for name in each["defaults"]),
        *(name for each in fields for name in each["defaults"].get("custom", {})),
        *(
            setting["id"].removeprefix("custom.")
            for each in fields
            for override in each["overrides"]
            for setting in override["properties"]
        ),
        *(step["id"] for panel in PANELS.values() for step in panel.get("transformations", [])),
    }

    assert used - {"custom"} <= known


@pytest.mark.parametrize("name", PICTURES)
def test_the_shown_rows_exist(name: str) -> None:
    board = cut(BOARDS[f"{name}.json"], rows=PICTURES[name].rows)

    titles = [each["title"] for each in board["panels"] if each["type"] == "row"]
    assert titles == list(PICTURES[name].rows)


def test_a_cut_moves_the_shown_rows_together() -> None:
    board = cut(BOARD, rows={"Second": 6})

    shown = [(each["title"], each["gridPos"]["y"]) for each in board["panels"]]
    assert shown == [("top", 0), ("Second", 4), ("second 1", 5)]
    assert grid_rows(board["panels"]) == 11


def test_a_cut_row_ends_at_its_height() -> None:
    board = cut(BOARD, rows={"First": 8, "Second": 12})

    shown = [(each["title"], each["gridPos"]["y"]) for each in board["panels"]]
    assert shown == [
        ("top", 0),
        ("First", 4),
        ("first 1", 5),
        ("Second", 13),
        ("second 1", 14),
        ("second 2", 20),
    ]


@pytest.mark.parametrize(
    ("board", "rows", "message"),
    [
        (BOARD, {"Third": 1}, "Board has no row Third"),
        (
            {"title": "Board", "panels": [panel("map", y=0, h=1, kind="geomap")]},
            {},
            "cannot draw panels of type geomap",
        ),
    ],
)
def test_what_cannot_be_drawn_is_an_error(board: Any, rows: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cut(board, rows=rows)
