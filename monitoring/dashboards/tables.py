"""Tables: their columns, what these are called, how they look and where their cells lead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitoring.dashboards.board import API_KEYS
from monitoring.dashboards.panels import Query, described, setting, target, thresholds
from monitoring.dashboards.sdk import PromQueryFormat, common, model, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitoring.dashboards.panels import Spot, Steps, Text

MOST = 100
"""Rows of a table; more would be slow in the browser and read by nobody."""
TEXT_CELL = {"type": "color-text"}
BACKGROUND_CELL = {"type": "color-background", "mode": "basic"}
GAUGE_CELL = {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}
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
    """One column of a table: the field it comes from, its header, and its looks."""

    field: str
    """A label, or ``Value #A`` for the value of query A; ``Value`` where that is the only one."""
    title: str
    width: int | None = None
    settings: tuple[model.DynamicConfigValue, ...] = ()


def grid(
    spot: Spot,
    text: Text,
    queries: Mapping[str, str],
    columns: Sequence[Column],
    *,
    hidden: Sequence[str] = ("Time",),
    sort: str,
    descending: bool = True,
) -> table.Panel:
    """Return a table. The rows of several queries, by letter, meet where their labels agree."""
    # Grafana's own least width of a column, 150, would push wide tables off the screen.
    panel = described(table.Panel(), spot, text).min_width(70)
    # Otherwise names that are numbers are written like the panel's, and what stands where there is
    # no data would stand for every label that is empty.
    panel.override_by_field_type("string", [setting("unit", "string"), setting("noValue", "")])
    for ref, expression in queries.items():
        panel.with_target(target(ref, Query(expression)).format(PromQueryFormat.TABLE))
    if len(queries) > 1:
        panel.with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(organized(columns, hidden))
    for column in columns:
        width = [setting("custom.width", column.width)] if column.width else []
        if width or column.settings:
            panel.override_by_name(column.title, [*width, *column.settings])
    order = common.TableSortByFieldState().display_name(sort).desc(descending)
    return panel.sort_by([order])


def organized(
    columns: Sequence[Column], hidden: Sequence[str] = ("Time",)
) -> model.DataTransformerConfig:
    """Return the transformation that orders and names the columns."""
    return model.DataTransformerConfig(
        id_val="organize",
        options={
            "excludeByName": dict.fromkeys(hidden, True),
            "indexByName": {column.field: index for index, column in enumerate(columns)},
            "renameByName": {column.field: column.title for column in columns},
        },
    )


def unit(
    name: str, decimals: int | None = None, none: str = ""
) -> tuple[model.DynamicConfigValue, ...]:
    """Return how a column writes its numbers, and what it says where it has none."""
    settings = [setting("unit", name)]
    if decimals is not None:
        settings.append(setting("decimals", decimals))
    if none:
        settings.append(setting("noValue", none))
    return tuple(settings)


def colored(
    steps: Steps, cell: Mapping[str, object] = TEXT_CELL
) -> tuple[model.DynamicConfigValue, ...]:
    """Return how a column colours its cells: the thresholds, and what they colour.

    What is below the first of them, or not known, is not judged.
    """
    return (
        setting("thresholds", thresholds("text", steps).build()),
        setting("color", {"mode": "thresholds"}),
        setting("custom.cellOptions", cell),
    )


def mapped(words: Mapping[str, str]) -> model.DynamicConfigValue:
    """Return the words that a column writes for some values."""
    options = {value: {"text": text} for value, text in words.items()}
    return setting("mappings", [{"type": "value", "options": options}])


def judged(words: Mapping[str, tuple[str, str]]) -> tuple[model.DynamicConfigValue, ...]:
    """Return the words that a column writes for some values, and the colours of these."""
    options = {value: {"text": text, "color": color} for value, (text, color) in words.items()}
    return (*colored(()), setting("mappings", [{"type": "value", "options": options}]))


def narrowing(title: str, fields: Mapping[str, str]) -> model.DynamicConfigValue:
    """Return the link of a cell: this dashboard with variables set from fields of the row.

    The time range and the other variables stay as they are.
    """
    kept = [f"${{{name}:queryparam}}" for name in _VARIABLES if name not in fields]
    taken = [f"var-{name}=${{__data.fields.{field}}}" for name, field in fields.items()]
    url = f"/d/{API_KEYS}?{'&'.join(('${__url_time_range}', *kept, *taken))}"
    return setting("links", [{"title": title, "url": url}])


ORGANIZATION_COLUMN = Column(
    "organization",
    "Organization",
    settings=(narrowing("Only this organization", {"organization": "organization"}),),
)
OWNER_ID_COLUMN = Column("owner_id", "Owner id", 95)
KIND_COLUMN = Column(
    "owner_kind",
    "Owner kind",
    150,
    settings=(
        narrowing(
            "Only this kind of owner, of this organization",
            {"organization": "organization", "owner_kind": "owner_kind"},
        ),
    ),
)
