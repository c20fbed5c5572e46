"""Panels: thin helpers over the SDK that give each kind one look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

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
"""Unit: days, as policies are written, where Grafana's own would say weeks."""

AnyPanel = stat.Panel | bargauge.Panel | timeseries.Panel | table.Panel
_Builder = TypeVar("_Builder", stat.Panel, bargauge.Panel, timeseries.Panel, table.Panel)


@dataclass(frozen=True)
class Spot:
    """Where a panel is: its id, which never changes, and its place below the row's header."""

    id: int
    x: int
    y: int
    w: int
    h: int


@dataclass(frozen=True)
class Text:
    """What a panel says besides its numbers."""

    title: str
    about: str
    unit: str
    none: str
    """Stands where there is no data."""
    decimals: int | None = None


@dataclass(frozen=True)
class Query:
    """An expression, the name of its series, and a fixed colour if it has one."""

    expression: str
    legend: str = ""
    color: str = ""


Steps = tuple[tuple[float, str], ...]
"""Colours from a value on."""


def setting(name: str, value: object) -> model.DynamicConfigValue:
    """Return one property of a field."""
    return model.DynamicConfigValue(id_val=name, value=value)


def thresholds(base: str, steps: Steps = ()) -> dashboard.ThresholdsConfig:
    """Return ``base`` from below, and then ``steps``."""
    first = model.Threshold(value=None, color=base)
    rest = [model.Threshold(value=value, color=color) for value, color in steps]
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps([first, *rest])


def described(panel: _Builder, spot: Spot, text: Text) -> _Builder:
    """Put ``panel`` at its place and write on it what it says besides its numbers."""
    panel.id(spot.id).title(text.title).description(text.about).datasource(DATASOURCE)
    panel.grid_pos(model.GridPos(h=spot.h, w=spot.w, x=spot.x, y=spot.y))
    panel.unit(text.unit).no_value(text.none)
    if text.decimals is not None:
        panel.decimals(text.decimals)
    return panel


def target(ref: str, query: Query, *, instant: bool = True) -> prometheus.Dataquery:
    """Return ``query`` under its letter, for this moment or over time."""
    asked = prometheus.Dataquery().ref_id(ref).datasource(DATASOURCE).expr(query.expression)
    asked.legend_format(query.legend)
    return asked.instant() if instant else asked.range()


def _asked(panel: _Builder, queries: Sequence[Query], *, instant: bool = True) -> _Builder:
    for number, query in enumerate(queries):
        ref = chr(ord("A") + number)
        panel.with_target(target(ref, query, instant=instant))
        if query.color:
            color = {"mode": "fixed", "fixedColor": query.color}
            panel.override_by_query(ref, [setting("color", color)])
    return panel


def number(spot: Spot, text: Text, queries: Sequence[Query], *, steps: Steps = ()) -> stat.Panel:
    """Return one number. It has a background if a query's colour or a threshold judges it.

    What is below the first step, or not known, is not judged and stays without.
    """
    judged = steps or any(query.color for query in queries)
    mode = values.BigValueColorMode
    panel = _asked(described(stat.Panel(), spot, text), queries)
    return (
        panel.color_mode(mode.BACKGROUND_SOLID if judged else mode.NONE)
        .graph_mode(values.BigValueGraphMode.NONE)
        .text_mode(values.BigValueTextMode.VALUE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(thresholds("transparent" if judged else "text", steps))
    )


def bars(spot: Spot, text: Text, queries: Sequence[Query], *, steps: Steps) -> bargauge.Panel:
    """Return one bar for each query, in their order."""
    panel = _asked(described(bargauge.Panel(), spot, text), queries)
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
    spot: Spot,
    text: Text,
    queries: Sequence[Query],
    *,
    reach: float | None,
    down: float = 0,
    calcs: Sequence[str] = ("lastNotNull", "max"),
) -> timeseries.Panel:
    """Return lines over time.

    ``reach``: the axis starts at 0 and reaches at least this value, or else zeros alone would have
    an axis to 100. None: the axis fits the data, where changes matter more than the level.
    ``down``: the axis reaches at least this far below 0, where something is drawn there.
    ``calcs``: the columns of the legend.
    """
    panel = _asked(described(timeseries.Panel(), spot, text), queries, instant=False)
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
    spot: Spot,
    text: Text,
    queries: Sequence[Query],
    *,
    interval: str,
    reach: float,
    down: float = 0,
) -> timeseries.Panel:
    """Return stacked bars over time, each for at least ``interval``."""
    panel = graph(spot, text, queries, reach=reach, down=down)
    return (
        panel.draw_style(values.GraphDrawStyle.BARS)
        .fill_opacity(80)
        .interval(interval)
        .stacking(common.StackingConfig().mode(values.StackingMode.NORMAL).group("A"))
    )


def downward(panel: timeseries.Panel, ref: str) -> timeseries.Panel:
    """Draw query ``ref`` below 0. Its numbers stay positive in the legend and the tooltip."""
    transform = setting("custom.transform", values.GraphTransform.NEGATIVE_Y.value)
    return panel.override_by_query(ref, [transform])


def dashed(panel: timeseries.Panel, ref: str) -> timeseries.Panel:
    """Draw the lines of query ``ref`` as limits: dashed."""
    style = {"fill": "dash", "dash": [8, 6]}
    return panel.override_by_query(ref, [setting("custom.lineStyle", style)])


def beside(
    panel: timeseries.Panel, *, calcs: Sequence[str] = ("lastNotNull", "max")
) -> timeseries.Panel:
    """Put the legend to the right, where long names have a line each."""
    return panel.legend(_legend(values.LegendPlacement.RIGHT, calcs))


def colors_by_name(panel: timeseries.Panel, colors: Mapping[str, str]) -> timeseries.Panel:
    """Draw the lines whose names match these regular expressions in shades of these colours."""
    for pattern, color in colors.items():
        shades = {"mode": "shades", "fixedColor": color}
        panel.override_by_regexp(f"/{pattern}/", [setting("color", shades)])
    return panel


def failures(panel: timeseries.Panel, *, color: str = BAD) -> timeseries.Panel:
    """Draw every line in a shade of ``color``. Grafana's own palette begins with green."""
    return panel.color_scheme(
        dashboard.FieldColor().mode(model.FieldColorModeId.SHADES).fixed_color(color)
    )


def by_reason(panel: timeseries.Panel) -> timeseries.Panel:
    """Draw failures in colours by who has to act; their names contain the reason."""
    return colors_by_name(
        failures(panel),
        {
            "rate_limited$": WARNING,
            "(unauthorized|forbidden|credentials)$": "purple",
            "(timeout|connection|tls)$": "yellow",
        },
    )


def marked(panel: timeseries.Panel, *limits: tuple[float, str]) -> timeseries.Panel:
    """Draw a dashed line at each of ``limits``, in its colour."""
    style = common.GraphThresholdsStyleConfig().mode(values.GraphThresholdsStyleMode.DASHED)
    return panel.thresholds(thresholds("transparent", limits)).thresholds_style(style)
