"""What Prometheus answers to the queries of a dashboard, as Grafana would send them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from monitoring.pictures.layout import COLUMNS, Json
from monitoring.pictures.week import DAY, SCRAPE
from tests.grafana.interpolation import ALL, chosen, interpolate, pace_of

if TYPE_CHECKING:
    from tests.prometheus.server import Prometheus


@dataclass(frozen=True)
class DashboardQueries:
    """Sends the queries of a dashboard with each variable at its default."""

    prometheus: Prometheus
    start: float
    """Unix time, as ``end``."""
    end: float
    width: int
    """The width of the dashboard in pixels."""

    def board(self, board: Json) -> Json:
        """Return what the page needs to draw the dashboard."""
        variables = [each for each in board["templating"]["list"] if each["type"] == "query"]
        values = {each["name"]: chosen(each, ALL, options=()) for each in variables}
        return {
            "dashboard": board,
            "selections": [
                (each["label"], each["current"]["text"][0])
                for each in variables
                if each.get("hide") != 2  # noqa: PLR2004 # Grafana's number for hidden variables
            ],
            "timeRange": f"Last {self._days}",
            "range": {"from": self.start, "to": self.end},
            "answers": {
                panel["id"]: {
                    target["refId"]: self._answer(target, panel, values)
                    for target in panel["targets"]
                }
                for panel in board["panels"]
                if panel["type"] != "row"
            },
            "starts": self._starts(board, values),
        }

    @property
    def _days(self) -> str:
        days = round((self.end - self.start) / DAY)
        return "24 hours" if days == 1 else f"{days} days"

    def _answer(self, target: Json, panel: Json, values: dict[str, str]) -> list[Any]:
        pace = pace_of(
            self.end - self.start,
            points=panel.get("maxDataPoints") or panel["gridPos"]["w"] * self.width // COLUMNS,
            scrape_interval=SCRAPE,
            panel=panel.get("interval", ""),
            target=target.get("interval", ""),
        )
        known = {**values, **pace.variables(self.end - self.start)}
        query = interpolate(target["expr"], known)
        if target["instant"]:
            answer = self.prometheus.ask("query", {"query": query, "time": f"{self.end:.0f}"})
            return list(answer["result"])
        step = round(pace.step)
        return [
            {"metric": each["metric"], "values": {"step": step, "points": each["values"]}}
            for each in self._range(query, step)
        ]

    def _range(self, query: str, step: int) -> list[Any]:
        start = math.ceil(self.start / step) * step
        times = {"start": f"{start}", "end": f"{self.end:.0f}", "step": f"{step}"}
        return list(self.prometheus.ask("query_range", {"query": query, **times})["result"])

    def _starts(self, board: Json, values: dict[str, str]) -> list[float]:
        """Return the Unix times of the annotations that are on by default."""
        return [
            float(at)
            for annotation in board["annotations"]["list"]
            if annotation["enable"]
            for target in [annotation["target"]]
            for each in self._answer(target, {"gridPos": {"w": COLUMNS}}, values)
            for at, _ in each["values"]["points"]
        ]
