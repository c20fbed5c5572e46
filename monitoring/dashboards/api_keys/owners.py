"""Owners of keys, and the resources that their keys give access to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from monitoring.dashboards.panels import COUNT, DAYS, WARNING, Position, setting
from monitoring.dashboards.queries import (
    OWNER_ROW,
    RESOURCE_ROW,
    UNKNOWN,
    all_findings,
    by,
    environment_named,
    gauge,
    in_every_row,
    owner_and_team_named,
    owner_named,
    resource_named,
)
from monitoring.dashboards.sdk import model
from monitoring.dashboards.tables import (
    BACKGROUND_CELL,
    MOST,
    ORGANIZATION_COLUMN,
    OWNER_ROW_COLUMNS,
    TEAM_COLUMN,
    Column,
    grid,
    organize,
)

if TYPE_CHECKING:
    from monitoring.dashboards.panels import AnyPanel

_RESOURCE_ID = Column("resource_id", "Resource id", 95)
_BOUNDED = f"At most {MOST} rows, those with the most keys"


def panels() -> list[AnyPanel]:
    """Return the panels of the row."""
    return [
        _owners(Position(201, x=0, y=0, w=24, h=10)),
        _resources(Position(202, x=0, y=10, w=16, h=10)),
        _matrix(Position(203, x=16, y=10, w=8, h=10)),
        _pairs(Position(204, x=0, y=20, w=24, h=10)),
    ]


def _owners(position: Position) -> AnyPanel:
    keys = f"topk({MOST}, {by(OWNER_ROW, gauge(catalogue.OWNER_API_KEYS))})"
    in_rows = f"and on (organization, owner_id) {keys}"
    age = by(OWNER_ROW, f"time() - {gauge(catalogue.OLDEST_API_KEY)}")
    left = by(OWNER_ROW, f"{gauge(catalogue.NEXT_EXPIRY)} - time()")
    # Confluent's own keys and organizations without a policy are not evaluated.
    evaluated = by(OWNER_ROW, gauge(catalogue.OWNER_API_KEYS, 'owner_kind!="internal"'))
    none = f"0 * ({evaluated} and on (organization) {all_findings()})"
    found = f"{by(OWNER_ROW, gauge(catalogue.VIOLATIONS), 'sum')} or {none}"
    return grid(
        position,
        title="Owners with the most keys",
        description="Owners of API keys in the selected organizations and owner kinds."
        f" {_BOUNDED}. A finding is a key that violates a policy. It counts once per policy;"
        " exempt keys do not count. List an owner's keys with `confluent-api-keys-exporter report"
        " --owner=` and the id.",
        unit=COUNT,
        no_value="no keys known",
        queries={
            "A": owner_and_team_named(keys, catalogue.OWNER_API_KEYS),
            "B": f"{age} / 86400 {in_rows}",
            "C": in_every_row(f"clamp_min({left}, 0) / 86400", keys, OWNER_ROW),
            "D": in_every_row(found, keys, OWNER_ROW),
        },
        columns=[
            *OWNER_ROW_COLUMNS,
            TEAM_COLUMN,
            Column("Value #A", "Keys", 90),
            Column("Value #B", "Oldest key", 110, unit=DAYS, decimals=0, no_value="unknown"),
            Column(
                "Value #C",
                "Next expiry",
                120,
                unit=DAYS,
                decimals=1,
                words={str(UNKNOWN): "no expiry"},
            ),
            Column(
                "Value #D",
                "Findings",
                100,
                unit=COUNT,
                steps=((1, WARNING),),
                words={str(UNKNOWN): "not evaluated"},
            ),
        ],
        sort="Keys",
    )


def _resources(position: Position) -> AnyPanel:
    keys = f"topk({MOST}, {by(RESOURCE_ROW, gauge(catalogue.RESOURCE_API_KEYS))})"
    of = catalogue.RESOURCE_API_KEYS
    named = environment_named(resource_named(keys, of), of)
    filters = {"organization": "organization", "resource_kind": "resource_kind"}
    return grid(
        position,
        title="Resources with the most keys",
        description="Resources that keys give access to, in the selected organizations,"
        " environments and resource kinds. A key for several resources counts once for each."
        f" {_BOUNDED}. List a resource's keys with `confluent-api-keys-exporter report"
        " --resource=` and the id.",
        unit=COUNT,
        no_value="no keys known",
        queries={"A": named},
        columns=[
            ORGANIZATION_COLUMN,
            Column("resource_name", "Resource"),
            _RESOURCE_ID,
            Column(
                "resource_kind",
                "Resource kind",
                145,
                filter_title="Only this resource kind in this organization",
                filters=filters,
            ),
            Column("environment_name", "Environment"),
            Column(
                "environment_id",
                "Env. id",
                110,
                filter_title="Only this resource kind in this environment",
                filters={**filters, "environment": "environment_id"},
            ),
            Column("Value", "Keys", 80),
        ],
        sort="Keys",
    )


def _matrix(position: Position) -> AnyPanel:
    columns = [Column(r"resource_kind\owner_kind", "Resource kind", 125)]
    panel = grid(
        position,
        title="Keys by resource kind and owner kind",
        description="Keys of the selected organizations and environments. A key for several"
        " resources counts once for each. Review keys that give users access to clusters, and all"
        " keys for `cloud` or `global`.",
        unit=COUNT,
        no_value="no keys known",
        queries={"A": by(("resource_kind", "owner_kind"), gauge(catalogue.PAIR_API_KEYS), "sum")},
        columns=[],
        sort="Resource kind",
        descending=False,
    )
    matrix = model.DataTransformerConfig(
        id_val="groupingToMatrix",
        options={
            "rowField": "resource_kind",
            "columnField": "owner_kind",
            "valueField": "Value",
            "emptyValue": "zero",
        },
    )
    panel.transformations([matrix, organize(columns, hidden=())])
    panel.override_by_name(columns[0].title, [setting("custom.width", columns[0].width)])
    panel.override_by_field_type(
        "number",
        [
            setting("color", {"mode": "continuous-blues"}),
            setting("custom.cellOptions", BACKGROUND_CELL),
        ],
    )
    return panel


def _pairs(position: Position) -> AnyPanel:
    row = (*RESOURCE_ROW, "owner_id", "owner_kind")
    of = catalogue.PAIR_API_KEYS
    keys = f"topk({MOST}, {by(row, gauge(of))})"
    named = environment_named(resource_named(owner_named(keys, of), of), of)
    return grid(
        position,
        title="Keys by owner and resource",
        description="The number of keys that each owner has for each resource. All variables"
        f" apply. {_BOUNDED}. Two keys per owner and resource are enough for rotation; more are"
        " often leftovers. List them with `confluent-api-keys-exporter report"
        " --policy=max_keys_per_owner_and_resource`.",
        unit=COUNT,
        no_value="no keys known",
        queries={"A": named},
        columns=[
            *OWNER_ROW_COLUMNS,
            Column("resource_name", "Resource"),
            _RESOURCE_ID,
            Column("resource_kind", "Resource kind", 130),
            Column("environment_name", "Environment"),
            Column("Value", "Keys", 70),
        ],
        hidden=("Time", "environment_id"),
        sort="Keys",
    )
