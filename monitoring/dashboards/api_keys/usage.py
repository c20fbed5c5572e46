"""Which owners use their Kafka clusters, and unused keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from monitoring.dashboards.panels import COUNT, DAYS, WARNING, Position
from monitoring.dashboards.queries import (
    ORGANIZATION,
    OWNER_ROW,
    UNKNOWN,
    all_findings,
    by,
    gauge,
    in_every_row,
    named,
    owner_and_team_named,
)
from monitoring.dashboards.tables import (
    MOST,
    ORGANIZATION_COLUMN,
    OWNER_ROW_COLUMNS,
    TEAM_COLUMN,
    Column,
    grid,
)

if TYPE_CHECKING:
    from monitoring.dashboards.panels import AnyPanel

_UNUSED = 'policy="unused_for"'
_OFF = "no activity known, see `usage.enabled`"


def panels() -> list[AnyPanel]:
    """Return the panels of the row."""
    return [
        _inactive(Position(601, x=0, y=0, w=24, h=10)),
        _unused(Position(602, x=0, y=10, w=12, h=8)),
        _known(Position(603, x=12, y=10, w=12, h=8)),
    ]


def _inactive(position: Position) -> AnyPanel:
    of = catalogue.OWNER_LAST_ACTIVE
    since = by((*OWNER_ROW, "resource_id"), f"time() - {gauge(of)}")
    rows = owner_and_team_named(f"topk({MOST}, {since} / 86400)", of)
    # A Kafka cluster is in one environment only, and activity is known without it.
    cluster = ("organization", "resource_id")
    return grid(
        position,
        title="Owners that were not active for longest",
        description="Time since the latest request of each owner to each Kafka cluster, in the"
        f" selected organizations and owner kinds. At most {MOST} rows, the longest times. Owners"
        " that made no request since activity is known are not listed here; their keys are under"
        " Unused keys by owner. Empty for organizations without `usage.enabled`.",
        unit=DAYS,
        no_value=_OFF,
        queries={"A": named(rows, of, catalogue.RESOURCE_INFO, "resource_name", cluster)},
        columns=[
            *OWNER_ROW_COLUMNS,
            TEAM_COLUMN,
            Column("resource_name", "Kafka cluster"),
            Column("resource_id", "Cluster id", 110),
            Column("Value", "Last active", 120, unit=DAYS, decimals=1),
        ],
        sort="Last active",
    )


def _unused(position: Position) -> AnyPanel:
    found = by(OWNER_ROW, gauge(catalogue.VIOLATIONS, _UNUSED))
    return grid(
        position,
        title="Unused keys by owner",
        description="Keys for Kafka clusters whose owner made no request to them for the time of"
        " the policy `unused_for`, and that are not exempt, in the selected organizations and"
        f" owner kinds. At most {MOST} rows, those with the most keys. Of an owner with several"
        " keys for a cluster, it is not known which one is used. List the keys with"
        " `confluent-api-keys-exporter report --policy=unused_for --owner=` and the id.",
        unit=COUNT,
        no_value="no unused keys known",
        queries={"A": owner_and_team_named(f"topk({MOST}, {found} > 0)", catalogue.VIOLATIONS)},
        columns=[
            *OWNER_ROW_COLUMNS,
            TEAM_COLUMN,
            Column("Value", "Keys", 90),
        ],
        sort="Keys",
    )


def _known(position: Position) -> AnyPanel:
    rows = by(ORGANIZATION, gauge(catalogue.ORGANIZATION_API_KEYS))
    known = by(ORGANIZATION, f"time() - {gauge(catalogue.USAGE_WINDOW_START)}")
    clusters = by(ORGANIZATION, gauge(catalogue.USAGE_UNJUDGED))
    unused = by(ORGANIZATION, all_findings(_UNUSED), "sum")
    return grid(
        position,
        title="Known activity by organization",
        description="For how long the activity of every evaluated Kafka cluster is known, the"
        " clusters with keys that are not evaluated because their answers name no owner or are"
        " missing, and the unused keys of all owner kinds. Keys for clusters that are not"
        " evaluated never count as unused. `usage off`: `usage.enabled` is off, or nothing has"
        " been answered yet. `not evaluated`: the policy `unused_for` is off, or the activity of"
        " no cluster is known.",
        unit=COUNT,
        no_value="no organizations known",
        queries={
            "A": in_every_row(f"{known} / 86400", rows, ORGANIZATION),
            "B": in_every_row(clusters, rows, ORGANIZATION),
            "C": in_every_row(unused, rows, ORGANIZATION),
        },
        columns=[
            ORGANIZATION_COLUMN,
            Column(
                "Value #A",
                "Known for",
                110,
                unit=DAYS,
                decimals=1,
                words={str(UNKNOWN): "usage off"},
            ),
            Column(
                "Value #B",
                "Not evaluated",
                120,
                steps=((1, WARNING),),
                words={str(UNKNOWN): "usage off"},
            ),
            Column(
                "Value #C",
                "Unused keys",
                120,
                steps=((1, WARNING),),
                words={str(UNKNOWN): "not evaluated"},
            ),
        ],
        sort="Unused keys",
    )
