"""Policy violations by owner, and exemptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from monitoring.dashboards.panels import COUNT, Position
from monitoring.dashboards.queries import OWNER_ROW, by, gauge, owner_and_team_named
from monitoring.dashboards.tables import (
    MOST,
    ORGANIZATION_COLUMN,
    OWNER_ID_COLUMN,
    OWNER_KIND_COLUMN,
    TEAM_COLUMN,
    Column,
    grid,
)

if TYPE_CHECKING:
    from monitoring.dashboards.panels import AnyPanel

TITLES = {
    "max_age": "older than allowed",
    "expires_within": "expiring soon",
    "expired": "expired",
    "max_keys_per_owner_and_resource": "too many per owner",
    "user_owned": "owned by users",
    "undescribed": "undescribed",
    "unknown_owner": "owner deleted",
    "unused_for": "unused",
}
"""The policies in words."""
_POLICY = Column("policy", "Policy", 165, words=TITLES)
_NAMES = "; ".join(f"{words}: `{policy}`" for policy, words in TITLES.items())


def panels() -> list[AnyPanel]:
    """Return the panels of the row."""
    return [
        _by_owner(Position(501, x=0, y=0, w=16, h=10)),
        _exempt(Position(502, x=16, y=0, w=8, h=10)),
    ]


def _by_owner(position: Position) -> AnyPanel:
    found = by(("policy", *OWNER_ROW), gauge(catalogue.VIOLATIONS))
    return grid(
        position,
        title="Findings by owner",
        description="Keys that violate a policy and are not exempt, in the selected organizations"
        f" and owner kinds. At most {MOST} rows, those with the most keys. List the keys with"
        " `confluent-api-keys-exporter report --policy=` and the name of the policy, and"
        f" `--owner=` and the id. Names of the policies: {_NAMES}.",
        unit=COUNT,
        no_value="no findings known",
        queries={"A": owner_and_team_named(f"topk({MOST}, {found} > 0)", catalogue.VIOLATIONS)},
        columns=[
            ORGANIZATION_COLUMN,
            _POLICY,
            Column("owner_name", "Owner"),
            OWNER_ID_COLUMN,
            OWNER_KIND_COLUMN,
            TEAM_COLUMN,
            Column("Value", "Keys", 90),
        ],
        sort="Keys",
    )


def _exempt(position: Position) -> AnyPanel:
    return grid(
        position,
        title="Exempt keys",
        description="Keys of the selected organizations that would violate a policy but are"
        " exempt through `policy.exempt` in the configuration. Review exemptions from time to"
        " time.",
        unit=COUNT,
        no_value="no exemptions known",
        queries={"A": f"{by(('organization', 'policy'), gauge(catalogue.EXEMPTED))} > 0"},
        columns=[ORGANIZATION_COLUMN, _POLICY, Column("Value", "Keys", 90)],
        sort="Keys",
    )
