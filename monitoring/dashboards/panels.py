"""Panels: helpers over the SDK that give each type of panel the same look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NotRequired, TypedDict, TypeVar, Unpack

from exporter.errors import CREDENTIALS_FAILURE_REASONS, Forbidden, Unauthorized
from monitoring.dashboards.sdk import (
    bargauge,
    common,
    dashboard,
    model,
    prometheus,
    stat,
    table,
    timeseries,
    values,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DATASOURCE = values.DataSourceRef(type_val="prometheus", uid="${datasource}")
GOOD, WARNING, BAD, NEUTRAL = "green", "orange", "red", "blue"
COUNT = "locale"
"""Unit: 20,000 rather than 20.0 K."""
DAYS = "suffix:d"
"""Unit: days, as in policies. Grafana's own unit would switch to weeks."""
_OF_CREDENTIALS = (Unauthorized.reason, Forbidden.reason, *CREDENTIALS_FAILURE_REASONS)

AnyPanel = stat.Panel | bargauge.Panel | timeseries.Panel | table.Panel
_Builder = TypeVar("_Builder", stat.Panel, bargauge.Panel, timeseries.Panel, table.Panel)


@dataclass(frozen=True)
class Position:
    """The id of a panel, which never changes, and its place below the header of its row."""

    id: int
    x: int
    y: int
    w: int
    h: int


class Options(TypedDict):
    """The texts of a panel and the format of its numbers."""

    title: str
    description: str
    unit: str
    no_value: str
    """Shown if there is no data."""
    decimals: NotRequired[int]


@dataclass(frozen=True)
class Query:
    """An expression, the legend of its series and, optionally, a fixed color."""

    expression: str
    legend: str = ""
    color: str = ""


Steps = tuple[tuple[float, str], ...]
"""Lower bounds and their colors."""


def setting(name: str, value: object) -> model.DynamicConfigValue:
    """Return one property of a field override."""
    return model.DynamicConfigValue(id_val=name, value=value)


def thresholds(base: str, steps: Steps = ()) -> dashboard.ThresholdsConfig:
    """Return thresholds with the color ``base`` below the first of ``steps``."""
    first = model.Threshold(value=None, color=base)
    rest = [model.Threshold(value=value, color=color) for value, color in steps]
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps([first, *rest])


def configured(panel: _Builder, position: Position, options: Options) -> _Builder:
    """Set the position and the options of ``panel``."""
    panel.id(position.id).title(options["title"]).description(options["description"])
    panel.datasource(DATASOURCE)
    panel.grid_pos(model.GridPos(h=position.h, w=position.w, x=position.x, y=position.y))
    panel.unit(options["unit"]).no_value(options["no_value"])
    if "decimals" in options:
        panel.decimals(options["decimals"])
    return panel


def target(ref: str, query: Query, *, instant: bool = True) -> prometheus.Dataquery:
    """Return ``query`` with the letter ``ref``, as an instant or a range query."""
    built = prometheus.Dataquery().ref_id(ref).datasource(DATASOURCE).expr(query.expression)
    built.legend_format(query.legend)
    return built.instant() if instant else built.range()


def _with_queries(panel: _Builder, queries: Sequence[Query], *, instant: bool = True) -> _Builder:
    for number, query in enumerate(queries):
        ref = chr(ord("A") + number)
        panel.with_target(target(ref, query, instant=instant))
        if query.color:
            color = {"mode": "fixed", "fixedColor": query.color}
            panel.override_by_query(ref, [setting("color", color)])
    return panel


def number(
    position: Position, *, queries: Sequence[Query], steps: Steps = (), **options: Unpack[Options]
) -> stat.Panel:
    """Return a panel with one number, colored by its query or by ``steps``.

    A value below the first step and an unknown value have no background.
    """
    colored = steps or any(query.color for query in queries)
    mode = values.BigValueColorMode
    panel = _with_queries(configured(stat.Panel(), position, options), queries)
    return (
        panel.color_mode(mode.BACKGROUND_SOLID if colored else mode.NONE)
        .graph_mode(values.BigValueGraphMode.NONE)
        .text_mode(values.BigValueTextMode.VALUE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(thresholds("transparent" if colored else "text", steps))
    )


def bars(
    position: Position, *, queries: Sequence[Query], steps: Steps, **options: Unpack[Options]
) -> bargauge.Panel:
    """Return a panel with one bar per query."""
    panel = _with_queries(configured(bargauge.Panel(), position, options), queries)
    return (
        panel.display_mode(values.BarGaugeDisplayMode.BASIC)
        .orientation(values.VizOrientation.HORIZONTAL)
        .name_placement(values.BarGaugeNamePlacement.LEFT)
        .value_mode(values.BarGaugeValueMode.COLOR)
        .show_unfilled(True)
        .min(0)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(thresholds("text", steps))
    )


def graph(
    position: Position,
    *,
    queries: Sequence[Query],
    reach: float | None,
    down: float = 0,
    calcs: Sequence[str] = ("lastNotNull", "max"),
    **options: Unpack[Options],
) -> timeseries.Panel:
    """Return a panel with lines over time.

    ``reach``: the axis starts at 0 and ends at this value or above. Otherwise Grafana would end it
    at 100 if all values are 0. None: the axis fits the data, because changes matter more.
    ``down``: the axis starts at this distance below 0 or more.
    ``calcs``: the columns of the legend.
    """
    panel = _with_queries(configured(timeseries.Panel(), position, options), queries, instant=False)
    panel.legend(_legend(values.LegendPlacement.BOTTOM, calcs))
    panel.tooltip(
        common.VizTooltipOptions()
        .mode(values.TooltipDisplayMode.MULTI)
        .sort(values.SortOrder.DESCENDING)
    )
    panel.fill_opacity(0).line_width(1)
    if reach is not None:
        panel.axis_soft_max(reach)
        if down:
            panel.axis_soft_min(-down)
        else:
            panel.min(0)
    return panel


def _legend(placement: values.LegendPlacement, calcs: Sequence[str]) -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .display_mode(values.LegendDisplayMode.TABLE)
        .placement(placement)
        .show_legend(True)
        .calcs(list(calcs))
        .sort_by("Last *")  # Grafana's title of the column lastNotNull
        .sort_desc(True)
    )


def bar_graph(
    position: Position,
    *,
    queries: Sequence[Query],
    interval: str,
    reach: float,
    down: float = 0,
    **options: Unpack[Options],
) -> timeseries.Panel:
    """Return a panel with stacked bars over time, each for at least ``interval``."""
    panel = graph(position, queries=queries, reach=reach, down=down, **options)
    return (
        panel.draw_style(values.GraphDrawStyle.BARS)
        .fill_opacity(80)
        .interval(interval)
        .stacking(common.StackingConfig().mode(values.StackingMode.NORMAL).group("A"))
    )


def below_zero(panel: timeseries.Panel, ref: str) -> timeseries.Panel:
    """Draw query ``ref`` below 0. The legend and the tooltip still show positive numbers."""
    transform = setting("custom.transform", values.GraphTransform.NEGATIVE_Y.value)
    return panel.override_by_query(ref, [transform])


def dashed(panel: timeseries.Panel, ref: str) -> timeseries.Panel:
    """Draw the lines of query ``ref`` dashed, as limits."""
    style = {"fill": "dash", "dash": [8, 6]}
    return panel.override_by_query(ref, [setting("custom.lineStyle", style)])


def legend_right(
    panel: timeseries.Panel, *, calcs: Sequence[str] = ("lastNotNull", "max")
) -> timeseries.Panel:
    """Put the legend on the right, where each series has its own line."""
    return panel.legend(_legend(values.LegendPlacement.RIGHT, calcs))


def colors_by_name(panel: timeseries.Panel, colors: Mapping[str, str]) -> timeseries.Panel:
    """Draw series whose names match a regular expression in shades of its color."""
    for pattern, color in colors.items():
        shades = {"mode": "shades", "fixedColor": color}
        panel.override_by_regexp(f"/{pattern}/", [setting("color", shades)])
    return panel


def shaded(panel: timeseries.Panel, *, color: str = BAD) -> timeseries.Panel:
    """Draw every line in a shade of ``color``. Grafana's default palette starts with green."""
    return panel.color_scheme(
        dashboard.FieldColor().mode(model.FieldColorModeId.SHADES).fixed_color(color)
    )


def colored_by_reason(panel: timeseries.Panel) -> timeseries.Panel:
    """Color failures by who has to act. The names of the series end with the reason."""
    return colors_by_name(
        shaded(panel),
        {
            "rate_limited$": WARNING,
            f"({'|'.join(_OF_CREDENTIALS)})$": "purple",
            "(timeout|connection|tls)$": "yellow",
        },
    )


def with_limits(panel: timeseries.Panel, *limits: tuple[float, str]) -> timeseries.Panel:
    """Draw a dashed line at each of ``limits``, in its color."""
    style = common.GraphThresholdsStyleConfig().mode(values.GraphThresholdsStyleMode.DASHED)
    return panel.thresholds(thresholds("transparent", limits)).thresholds_style(style)
