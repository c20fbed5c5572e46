"""Who breaks which policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from monitoring.dashboards.api_keys.policies import TITLES
from monitoring.dashboards.panels import COUNT, Spot, Text
from monitoring.dashboards.queries import OWNER_ROW, by, gauge, owner_named
from monitoring.dashboards.tables import (
    KIND_COLUMN,
    MOST,
    ORGANIZATION_COLUMN,
    OWNER_ID_COLUMN,
    Column,
    grid,
    mapped,
)

if TYPE_CHECKING:
    from monitoring.dashboards.panels import AnyPanel

_POLICY = Column("policy", "Policy", 165, (mapped(TITLES),))
_NAMES = "; ".join(f"{words}: `{policy}`" for policy, words in TITLES.items())


def panels() -> list[AnyPanel]:
    """Return the row."""
    return [
        _by_owner(Spot(501, x=0, y=0, w=16, h=10)),
        _exempted(Spot(502, x=16, y=0, w=8, h=10)),
    ]


def _by_owner(spot: Spot) -> AnyPanel:
    found = by(("policy", *OWNER_ROW), gauge(catalogue.VIOLATIONS))
    return grid(
        spot,
        Text(
            title="Findings by owner",
            about="Keys that violate a policy and are not exempt, of the selected organizations and"
            f" owner kinds; the {MOST} largest counts. `confluent-api-keys-exporter report"
            " --policy=` with the policy and `--owner=` with the owner's id lists the keys. Policy"
            f" names there: {_NAMES}.",
            unit=COUNT,
            none="no findings known",
        ),
        {"A": owner_named(f"topk({MOST}, {found} > 0)", catalogue.VIOLATIONS)},
        [
            ORGANIZATION_COLUMN,
            _POLICY,
            Column("owner_name", "Owner"),
            OWNER_ID_COLUMN,
            KIND_COLUMN,
            Column("Value", "Keys", 90),
        ],
        sort="Keys",
    )


def _exempted(spot: Spot) -> AnyPanel:
    return grid(
        spot,
        Text(
            title="Exempted",
            about="Keys that would violate a policy but are exempt through `policy.exempt` in the"
            " configuration, for the selected organizations. Review exemptions from time to"
            " time.",
            unit=COUNT,
            none="no exemptions known",
        ),
        {"A": f"{by(('organization', 'policy'), gauge(catalogue.EXEMPTED))} > 0"},
        [
            ORGANIZATION_COLUMN,
            _POLICY,
            Column("Value", "Keys", 90),
        ],
        sort="Keys",
    )
