"""Tables: their columns, with headers, formats, colors and links."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Unpack

from monitoring.dashboards.dashboard import API_KEYS
from monitoring.dashboards.panels import Query, configured, setting, target, thresholds
from monitoring.dashboards.sdk import PromQueryFormat, common, model, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from monitoring.dashboards.panels import Options, Position, Steps

MOST = 100
"""Maximum number of rows. More would be slow in the browser."""
BACKGROUND_CELL = {"type": "color-background", "mode": "basic"}
_TEXT_CELL = {"type": "color-text"}
_GAUGE_CELL = {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}
_VARIABLES = (
    "datasource",
    "job",
    "instance",
    "organization",
    "environment",
    "owner_kind",
    "resource_kind",
)


@dataclass(frozen=True)
class Column:
    """One column of a table: its field, its header and its look."""

    source: str
    """A label, or ``Value #A`` for the value of query A; ``Value`` if there is one query only."""
    title: str
    width: int | None = None
    unit: str = ""
    decimals: int | None = None
    no_value: str = ""
    steps: Steps | None = None
    """Thresholds that color the cells. A value below the first of them has no color."""
    gauge: bool = False
    """Show a share of 1 as a gauge."""
    words: Mapping[str, str] = field(default_factory=dict)
    """The texts that replace some values."""
    states: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """The texts that replace some values, and their colors."""
    filter_title: str = ""
    filters: Mapping[str, str] = field(default_factory=dict)
    """A link to the same dashboard: the variables that it sets, and their fields in the row."""

    def settings(self) -> Iterator[model.DynamicConfigValue]:
        """Yield the properties of the field override."""
        if self.width:
            yield setting("custom.width", self.width)
        if self.states:  # words for numbers, which Grafana would align to the right
            yield setting("custom.align", "left")
        if self.unit:
            yield setting("unit", self.unit)
        if self.decimals is not None:
            yield setting("decimals", self.decimals)
        if self.no_value:
            yield setting("noValue", self.no_value)
        if self.gauge:
            yield setting("min", 0)
            yield setting("max", 1)
        if self.steps or self.states:
            yield setting("thresholds", thresholds("text", self.steps or ()).build())
            yield setting("color", {"mode": "thresholds"})
            yield setting("custom.cellOptions", _GAUGE_CELL if self.gauge else _TEXT_CELL)
        if self.words or self.states:
            options: dict[str, dict[str, str]] = {
                **{value: {"text": text} for value, text in self.words.items()},
                **{value: {"text": t, "color": c} for value, (t, c) in self.states.items()},
            }
            yield setting("mappings", [{"type": "value", "options": options}])
        if self.filters:
            link = {"title": self.filter_title, "url": _filtered(self.filters)}
            yield setting("links", [link])


def _filtered(filters: Mapping[str, str]) -> str:
    """Return the URL of the dashboard with variables set from fields of the row.

    The time range and the other variables stay as they are.
    """
    unchanged = [f"${{{name}:queryparam}}" for name in _VARIABLES if name not in filters]
    changed = [f"var-{name}=${{__data.fields.{source}}}" for name, source in filters.items()]
    return f"/d/{API_KEYS}?{'&'.join(('${__url_time_range}', *unchanged, *changed))}"


def grid(
    position: Position,
    *,
    queries: Mapping[str, str],
    columns: Sequence[Column],
    hidden: Sequence[str] = ("Time",),
    sort: str,
    descending: bool = True,
    **options: Unpack[Options],
) -> table.Panel:
    """Return a table. Rows of several queries, by letter, are joined if their labels agree."""
    # Grafana's default minimum width of 150 would make wide tables scroll.
    panel = configured(table.Panel(), position, options).min_width(70)
    # Otherwise the panel's unit would apply to names that are numbers, and its text for missing
    # data to empty labels.
    panel.override_by_field_type("string", [setting("unit", "string"), setting("noValue", "")])
    for ref, expression in queries.items():
        panel.with_target(target(ref, Query(expression)).format(PromQueryFormat.TABLE))
    if len(queries) > 1:
        panel.with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(organize(columns, hidden))
    for column in columns:
        if settings := list(column.settings()):
            panel.override_by_name(column.title, settings)
    order = common.TableSortByFieldState().display_name(sort).desc(descending)
    return panel.sort_by([order])


def organize(
    columns: Sequence[Column], hidden: Sequence[str] = ("Time",)
) -> model.DataTransformerConfig:
    """Return the transformation that orders and names the columns."""
    return model.DataTransformerConfig(
        id_val="organize",
        options={
            "excludeByName": dict.fromkeys(hidden, True),
            "indexByName": {column.source: index for index, column in enumerate(columns)},
            "renameByName": {column.source: column.title for column in columns},
        },
    )


ORGANIZATION_COLUMN = Column(
    "organization",
    "Organization",
    filter_title="Only this organization",
    filters={"organization": "organization"},
)
OWNER_COLUMN = Column("owner_name", "Owner")
OWNER_ID_COLUMN = Column("owner_id", "Owner id", 95)
OWNER_KIND_COLUMN = Column(
    "owner_kind",
    "Owner kind",
    150,
    filter_title="Only this owner kind in this organization",
    filters={"organization": "organization", "owner_kind": "owner_kind"},
)
TEAM_COLUMN = Column("team", "Team", 110)
"""Grafana leaves it out if no row has a team."""
OWNER_ROW_COLUMNS = (ORGANIZATION_COLUMN, OWNER_COLUMN, OWNER_ID_COLUMN, OWNER_KIND_COLUMN)
"""The columns of tables with a row for each owner or more."""
