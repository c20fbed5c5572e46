"""The pictures of the dashboards: a week of metrics, Prometheus, Grafana's components, Chromium."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from monitoring.pictures.alerts import record_rules
from monitoring.pictures.answers import DashboardQueries
from monitoring.pictures.chromium import draw
from monitoring.pictures.layout import cut, grid_rows
from monitoring.pictures.week import DAY, WEEK, record_week
from tests.programs import ROOT, program
from tests.prometheus.server import NO_TARGETS, prometheus_with

if TYPE_CHECKING:
    from collections.abc import Mapping

_SOURCES = Path(__file__).parent / "grafana"
_BUILD = ROOT / "build" / "pictures"
"""A copy of the sources, with the libraries, where no other tool looks."""
_WIDTH = 1400
"""CSS pixels, like a laptop's screen."""
_CELL, _HEADER, _MARGIN = 38, 88, 8
"""CSS pixels: a row of Grafana's grid, the header of the page, and below the last panel."""
_PAGE = """\
<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="board.css">
<div id="root"></div><script>window.board = {board}</script><script src="board.js"></script>
"""


@dataclass(frozen=True)
class Picture:
    """What a picture shows of a dashboard."""

    rows: Mapping[str, int]
    """The rows, and how much of them; see :func:`cut`."""
    span: float
    """The time range in seconds."""


PICTURES = {
    "api-keys": Picture(
        {"Growth and churn": 8, "Owners and resources": 10, "Age and rotation": 9}, WEEK
    ),
    "exporter-health": Picture({"API rate limit": 8, "API requests": 16}, DAY),
}


def draw_boards(pictures: Path, folder: Path, *, week: Path) -> None:
    """Draw the dashboards over the metrics in ``week``; ``folder`` is for the pages."""
    until = _recorded(week)
    _bundle(folder)
    with prometheus_with(NO_TARGETS, week) as prometheus:
        for name, picture in PICTURES.items():
            file = ROOT / "grafana" / "dashboards" / f"{name}.json"
            board = cut(json.loads(file.read_text()), rows=picture.rows)
            queries = DashboardQueries(
                prometheus, start=until - picture.span, end=until, width=_WIDTH
            )
            page = folder / f"{name}.html"
            page.write_text(_PAGE.format(board=_in_a_script(queries.board(board))))
            draw(
                page.as_uri(),
                pictures / f"dashboard-{name}.png",
                width=_WIDTH,
                height=_HEADER + grid_rows(board["panels"]) * _CELL + _MARGIN,
            )


def _in_a_script(value: object) -> str:
    """Return ``value`` as JSON that cannot end the script element that contains it."""
    return json.dumps(value).replace("<", "\\u003c")


def _recorded(week: Path) -> float:
    """Record a week of metrics unless there is one; return the Unix time of its end."""
    end = week / "until"
    if not end.exists():
        week.mkdir(parents=True, exist_ok=True)
        until = time.time() // 60 * 60
        record_week(week, until=until)
        record_rules(week, until=until)
        end.write_text(f"{until}")
    return float(end.read_text())


def _bundle(folder: Path) -> None:
    """Write ``board.js`` and ``board.css`` into ``folder``; install the libraries if needed."""
    npm = program("npm", package="npm")
    shutil.copytree(_SOURCES, _BUILD, dirs_exist_ok=True)
    if not (_BUILD / "node_modules").exists():
        subprocess.run([npm, "ci"], cwd=_BUILD, check=True)  # noqa: S603 # npm
    command = (npm, "run", "--silent", "bundle", "--", f"--outdir={folder}")
    subprocess.run(command, cwd=_BUILD, check=True)  # noqa: S603 # npm
