"""The dashboards as they are committed, and a Prometheus to ask their queries of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.grafana.boards import BOARDS
from tests.grafana.history import (
    DAYS,
    INSTANCE,
    LOOK_BACK,
    REPLICA,
    REVOKED,
    SCRAPE,
    UNREACHABLE,
)
from tests.grafana.interpolation import (
    ALL,
    chosen,
    interpolate,
    options_of,
    pace_of,
    result_as_text,
)
from tests.grafana.recorder import JOB
from tests.grafana.truth import Truth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.grafana.history import History, Present
    from tests.grafana.interpolation import Option
    from tests.prometheus.server import Prometheus

API_KEYS, HEALTH = "api-keys", "exporter-health"
DASHBOARDS: dict[str, Any] = {name: BOARDS[f"{name}.json"] for name in (API_KEYS, HEALTH)}
REFRESH = 300.0
"""Seconds between two listings of the keys; the exporter's default."""
STALE_AFTER = 3 * REFRESH
_PIXELS = 70  # a column of a panel, of 24; 1680 in all
Selection = dict[str, str | list[str]]
"""What is selected, by variable; the others are at All."""
Series = dict[str, Any]
"""As Prometheus answers it."""


@dataclass(frozen=True)
class Query:
    """One query of a dashboard."""

    dashboard: str
    title: str
    """Of the panel or the annotation."""
    ref: str
    expression: str
    instant: bool
    points: int
    """How many of them the panel has room for."""
    panel_interval: str = ""
    target_interval: str = ""

    @property
    def name(self) -> str:
        """What tells it from all others."""
        return f"{self.dashboard}: {self.title} {self.ref}"


def _queries() -> Iterator[Query]:
    for name, dashboard in DASHBOARDS.items():
        for panel in dashboard["panels"]:
            for each in (panel, *panel.get("panels", [])):  # closed rows have theirs inside
                yield from _queries_of(name, each)
        for annotation in dashboard["annotations"]["list"]:
            target = annotation.get("target", {})  # where newer versions of Grafana look first
            yield Query(
                name,
                annotation["name"],
                "annotation",
                target.get("expr") or annotation["expr"],
                instant=False,
                points=24 * _PIXELS,
                target_interval=target.get("interval") or annotation["step"],
            )


def _queries_of(dashboard: str, panel: Any) -> Iterator[Query]:
    assert not panel.keys() & {"timeFrom", "timeShift", "repeat"}, "not known here"
    for target in panel.get("targets", []):
        assert target["instant"] is not target["range"]
        yield Query(
            dashboard,
            panel["title"],
            target["refId"],
            target["expr"],
            instant=target["instant"],
            points=panel.get("maxDataPoints") or panel["gridPos"]["w"] * _PIXELS,
            panel_interval=panel.get("interval", ""),
            target_interval=target.get("interval", ""),
        )


QUERIES: dict[str, Query] = {query.name: query for query in _queries()}


def variables_of(dashboard: str) -> list[Any]:
    """Return the variables that are queried for; the other one is the data source."""
    variables = DASHBOARDS[dashboard]["templating"]["list"]
    return [each for each in variables if each["type"] == "query"]


def _filled_in(dashboard: str, selection: Selection) -> dict[str, str]:
    """Return what stands for each variable; All has a text of its own."""
    return {
        each["name"]: chosen(each, selection.get(each["name"], ALL), options=())
        for each in variables_of(dashboard)
    }


@dataclass(frozen=True)
class Scene:
    """A Prometheus with a past, and what there is to know."""

    prometheus: Prometheus
    history: History
    present: Present
    restarted: float
    """Unix time before the exporters of the present were started."""
    now: float

    def moment(self, name: str) -> float:
        """Return the Unix time of ``name``."""
        ended = self.history.ended
        return {
            "now": self.now,
            "role not yet revoked": ended - REVOKED - REFRESH,
            "role just revoked": ended - REVOKED + 2 * REFRESH,
            "replica unreachable": ended - UNREACHABLE + LOOK_BACK + SCRAPE,
            "end of the past": ended,
        }[name]

    def selected(self, kind: str) -> Selection:
        """Return ``all``, ``one`` or ``several`` of each variable, or one organization."""
        environments = list(self.history.organizations["acme"].environments)
        match kind:
            case "all":
                return {}
            case "one":
                return {
                    "job": JOB,
                    "instance": INSTANCE,
                    "organization": "acme",
                    "environment": environments[0],
                    "owner_kind": "service-account",
                    "resource_kind": "kafka",
                }
            case "several":
                return {
                    "job": [JOB, "another (job)"],
                    "instance": [INSTANCE, REPLICA],
                    "organization": ["acme", "broken"],
                    "environment": environments[:2],
                    "owner_kind": ["service-account", "user"],
                    "resource_kind": ["kafka", "schema-registry"],
                }
            case _:
                return {"organization": kind}

    def ask(
        self, query: Query, selection: Selection, *, span: float = DAYS, at: float | None = None
    ) -> list[Series]:
        """Return the answer for the ``span`` of seconds that ends at the Unix time ``at``.

        Without ``at``, instant queries are of the present; the others of the past, because the
        present has only begun.
        """
        pace = pace_of(
            span,
            points=query.points,
            scrape_interval=SCRAPE,
            panel=query.panel_interval,
            target=query.target_interval,
        )
        values = _filled_in(query.dashboard, selection) | pace.variables(span)
        asked = {"query": interpolate(query.expression, values)}
        if query.instant:
            end = self.now if at is None else at
            answer = self.prometheus.ask("query", asked | {"time": str(end)})
        else:
            end = self.history.ended if at is None else at
            first, last = (moment // pace.step * pace.step for moment in (end - span, end))
            times = {"start": str(first), "end": str(last), "step": str(pace.step)}
            answer = self.prometheus.ask("query_range", asked | times)
        found: list[Series] = answer["result"]
        return found

    def numbers(
        self,
        dashboard: str,
        title: str,
        selection: Selection,
        *,
        span: float = DAYS,
        at: float | None = None,
    ) -> dict[str, float]:
        """Return what a panel of single numbers shows, by ``title`` and the query's letter."""
        found: dict[str, float] = {}
        for query in QUERIES.values():
            if (query.dashboard, query.title) == (dashboard, title):
                for series in self.ask(query, selection, span=span, at=at):
                    assert series["metric"] == {}
                    found[f"{title} {query.ref}"] = float(series["value"][1])
        return found

    def options(self, dashboard: str, name: str, selection: Selection) -> set[Option]:
        """Return the choices of a variable while ``selection`` holds for the others."""
        (variable,) = (each for each in variables_of(dashboard) if each["name"] == name)
        query = interpolate(variable["query"]["query"], _filled_in(dashboard, selection))
        match = re.fullmatch(r"label_values\((.+), (\w+)\)|query_result\((.+)\)", query)
        assert match is not None, query
        series, label, expression = match.groups()
        if expression:
            answer = self.prometheus.ask("query", {"query": expression, "time": str(self.now)})
            texts = [result_as_text(each) for each in answer["result"]]
        else:
            times = {"start": str(self.now - DAYS), "end": str(self.now)}
            texts = self.prometheus.ask(f"label/{label}/values", {"match[]": series} | times)
        return set(options_of(texts, variable.get("regex") or ""))

    def truth(self, organization: str = ALL) -> Truth:
        """Return what is true now of the organizations that can be known, or of one of them."""
        known = {
            name: each
            for name, each in self.history.organizations.items()
            if organization in {ALL, name} and name != "broken"
        }
        return Truth(known, self.history.exempt, self.now)
