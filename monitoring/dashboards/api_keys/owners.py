"""Who has keys, and what they are for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from monitoring.dashboards.panels import COUNT, DAYS, WARNING, Spot, Text, setting
from monitoring.dashboards.queries import (
    OWNER_ROW,
    RESOURCE_ROW,
    UNKNOWN,
    by,
    environment_named,
    gauge,
    in_every_row,
    judged,
    owner_named,
    resource_named,
)
from monitoring.dashboards.sdk import model
from monitoring.dashboards.tables import (
    BACKGROUND_CELL,
    KIND_COLUMN,
    MOST,
    ORGANIZATION_COLUMN,
    OWNER_ID_COLUMN,
    Column,
    colored,
    grid,
    mapped,
    narrowing,
    organized,
    unit,
)

if TYPE_CHECKING:
    from monitoring.dashboards.panels import AnyPanel

_RESOURCE_ID = Column("resource_id", "Resource id", 95)
_BOUNDED = f"At most {MOST} rows, those with the most keys"


def panels() -> list[AnyPanel]:
    """Return the row."""
    return [
        _owners(Spot(201, x=0, y=0, w=24, h=10)),
        _resources(Spot(202, x=0, y=10, w=16, h=10)),
        _matrix(Spot(203, x=16, y=10, w=8, h=10)),
        _pairs(Spot(204, x=0, y=20, w=24, h=10)),
    ]


def _owners(spot: Spot) -> AnyPanel:
    keys = f"topk({MOST}, {by(OWNER_ROW, gauge(catalogue.OWNER_API_KEYS))})"
    here = f"and on (organization, owner_id) {keys}"
    age = by(OWNER_ROW, f"time() - {gauge(catalogue.OLDEST_API_KEY)}")
    left = by(OWNER_ROW, f"{gauge(catalogue.NEXT_EXPIRY)} - time()")
    # The provider's own keys are not judged, and neither are organizations without a policy.
    mine = by(OWNER_ROW, gauge(catalogue.OWNER_API_KEYS, 'owner_kind!="internal"'))
    none = f"0 * ({mine} and on (organization) {judged()})"
    found = f"{by(OWNER_ROW, gauge(catalogue.VIOLATIONS), 'sum')} or {none}"
    return grid(
        spot,
        Text(
            title="Owners with the most keys",
            about="Owners with API keys, of the selected organizations and owner kinds."
            f" {_BOUNDED}. A finding is a key that violates a policy, counted once per policy;"
            " exempt keys have none. `confluent-api-keys-exporter report --owner=` with the id"
            " lists an owner's keys.",
            unit=COUNT,
            none="no keys known",
        ),
        {
            "A": owner_named(keys, catalogue.OWNER_API_KEYS),
            "B": f"{age} / 86400 {here}",
            "C": in_every_row(f"clamp_min({left}, 0) / 86400", keys, OWNER_ROW),
            "D": in_every_row(found, keys, OWNER_ROW),
        },
        [
            ORGANIZATION_COLUMN,
            Column("owner_name", "Owner"),
            OWNER_ID_COLUMN,
            KIND_COLUMN,
            Column("Value #A", "Keys", 90),
            Column("Value #B", "Oldest key", 110, unit(DAYS, 0, "unknown")),
            Column(
                "Value #C",
                "Next expiry",
                120,
                (*unit(DAYS, 1), mapped({str(UNKNOWN): "none expires"})),
            ),
            Column(
                "Value #D",
                "Findings",
                100,
                (
                    *unit(COUNT),
                    *colored(((1, WARNING),)),
                    mapped({str(UNKNOWN): "not judged"}),
                ),
            ),
        ],
        sort="Keys",
    )


def _resources(spot: Spot) -> AnyPanel:
    keys = f"topk({MOST}, {by(RESOURCE_ROW, gauge(catalogue.RESOURCE_API_KEYS))})"
    of = catalogue.RESOURCE_API_KEYS
    named = environment_named(resource_named(keys, of), of)
    here = {"organization": "organization", "resource_kind": "resource_kind"}
    return grid(
        spot,
        Text(
            title="Resources with the most keys",
            about="Resources that keys give access to, of the selected organizations, environments"
            f" and resource kinds. A key for several resources counts once for each. {_BOUNDED}."
            " `confluent-api-keys-exporter report --resource=` with the id lists a resource's"
            " keys.",
            unit=COUNT,
            none="no keys known",
        ),
        {"A": named},
        [
            ORGANIZATION_COLUMN,
            Column("resource_name", "Resource"),
            _RESOURCE_ID,
            Column(
                "resource_kind",
                "Resource kind",
                145,
                settings=(narrowing("Only this kind of resource, of this organization", here),),
            ),
            Column("environment_name", "Environment"),
            Column(
                "environment_id",
                "Env. id",
                110,
                settings=(
                    narrowing(
                        "Only this kind of resource, of this environment",
                        {**here, "environment": "environment_id"},
                    ),
                ),
            ),
            Column("Value", "Keys", 80),
        ],
        sort="Keys",
    )


def _matrix(spot: Spot) -> AnyPanel:
    columns = [Column(r"resource_kind\owner_kind", "Resource kind", 125)]
    panel = grid(
        spot,
        Text(
            title="Kinds of resources by kinds of owners",
            about="Keys by resource kind and owner kind, of the selected organizations and"
            " environments. A key for several resources counts once for each. Check keys of users"
            " for clusters, and all keys for `cloud` or `global`.",
            unit=COUNT,
            none="no keys known",
        ),
        {"A": by(("resource_kind", "owner_kind"), gauge(catalogue.PAIR_API_KEYS), "sum")},
        [],
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
    panel.transformations([matrix, organized(columns, hidden=())])
    panel.override_by_name(columns[0].title, [setting("custom.width", columns[0].width)])
    panel.override_by_field_type(
        "number",
        [
            setting("color", {"mode": "continuous-blues"}),
            setting("custom.cellOptions", BACKGROUND_CELL),
        ],
    )
    return panel


def _pairs(spot: Spot) -> AnyPanel:
    row = (*RESOURCE_ROW, "owner_id", "owner_kind")
    of = catalogue.PAIR_API_KEYS
    keys = f"topk({MOST}, {by(row, gauge(of))})"
    named = environment_named(resource_named(owner_named(keys, of), of), of)
    return grid(
        spot,
        Text(
            title="Keys of one owner for one resource",
            about="Which owner has keys for which resource; all variables apply."
            f" {_BOUNDED}. Two keys per owner and resource allow rotation; more are often left"
            " over: `confluent-api-keys-exporter report --policy=max_keys_per_owner_and_resource`"
            " lists them.",
            unit=COUNT,
            none="no keys known",
        ),
        {"A": named},
        [
            ORGANIZATION_COLUMN,
            Column("owner_name", "Owner"),
            OWNER_ID_COLUMN,
            KIND_COLUMN,
            Column("resource_name", "Resource"),
            _RESOURCE_ID,
            Column("resource_kind", "Resource kind", 130),
            Column("environment_name", "Environment"),
            Column("Value", "Keys", 70),
        ],
        hidden=("Time", "environment_id"),
        sort="Keys",
    )
