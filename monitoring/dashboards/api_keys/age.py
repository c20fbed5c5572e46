"""The age of the keys, the rotation backlog, and upcoming expiries."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from exporter.inventory.ages import AGE_BOUNDS, REMAINING_BOUNDS
from monitoring.dashboards.panels import (
    BAD,
    COUNT,
    DAYS,
    GOOD,
    NEUTRAL,
    WARNING,
    Position,
    Query,
    bars,
    dashed,
    graph,
)
from monitoring.dashboards.queries import (
    ORGANIZATION,
    OWNER_ROW,
    UNKNOWN,
    all_findings,
    bucket,
    by,
    gauge,
    in_every_row,
    or_zero,
    owner_named,
)
from monitoring.dashboards.tables import (
    MOST,
    ORGANIZATION_COLUMN,
    OWNER_ROW_COLUMNS,
    Column,
    grid,
)

if TYPE_CHECKING:
    from monitoring.dashboards.panels import AnyPanel

_DAY = 86_400
_AHEAD = REMAINING_BOUNDS[:4]
_SOONER = (BAD, "yellow", NEUTRAL, "purple")
"""The colors of these bounds."""
_LIMIT = gauge(catalogue.THRESHOLD, 'policy="max_age"')


def panels() -> list[AnyPanel]:
    """Return the panels of the row."""
    return [
        _distribution(Position(301, x=0, y=0, w=8, h=9)),
        _median(Position(302, x=8, y=0, w=8, h=9)),
        _backlog(Position(303, x=16, y=0, w=8, h=9)),
        _expiries(Position(304, x=0, y=9, w=14, h=10)),
        _backlog_by_organization(Position(306, x=14, y=9, w=10, h=10)),
    ]


def _distribution(position: Position) -> AnyPanel:
    return bars(
        position,
        title="Age distribution",
        description="Keys by age, for the selected organizations and owner kinds. Each key is in"
        " one bar. Keys without a plausible creation time are not shown. List the keys that are"
        " at least a year old with `confluent-api-keys-exporter report --min-age=365d`.",
        unit=COUNT,
        no_value="not reported",
        queries=list(_bands()),
        steps=((0, NEUTRAL),),
    )


def _bands() -> list[Query]:
    """Return the number of keys in each bucket of the histogram."""
    upper = [
        f"sum({gauge(catalogue.API_KEY_AGES, bucket(each), suffix='_bucket')})"
        for each in AGE_BOUNDS
    ]
    days = [f"{each / _DAY:.0f}" for each in AGE_BOUNDS]
    between = [or_zero(f"{above} - {below}") for below, above in pairwise(upper)]
    names = [f"{below} to {above} d" for below, above in pairwise(days)]
    beyond = or_zero(f"sum({gauge(catalogue.API_KEY_AGES, suffix='_gcount')}) - {upper[-1]}")
    return [
        Query(or_zero(upper[0]), f"up to {days[0]} d"),
        *(Query(band, name) for band, name in zip(between, names, strict=True)),
        Query(beyond, f"over {days[-1]} d"),
    ]


def _median(position: Position) -> AnyPanel:
    buckets = by(("owner_kind", "le"), gauge(catalogue.API_KEY_AGES, suffix="_bucket"), "sum")
    panel = graph(
        position,
        title="Median age",
        description="Half of the keys of each owner kind are older than this, for the selected"
        " organizations and owner kinds. Estimated from the bands in Age distribution, so at most"
        f" {AGE_BOUNDS[-1] / _DAY:.0f} days. With timely rotation it stays near or below half of"
        " the policy `max_age`. The dashed line is the strictest `max_age`.",
        unit=DAYS,
        no_value="not reported",
        decimals=0,
        queries=[
            Query(f"histogram_quantile(0.5, {buckets}) / {_DAY}", "{{owner_kind}}"),
            Query(f"min({_LIMIT}) / {_DAY}", "max_age", BAD),
        ],
        reach=1,
    )
    return dashed(panel, "B")


def _backlog(position: Position) -> AnyPanel:
    names = ["now", *(f"in {bound / _DAY:.0f} d" for bound in _AHEAD[1:])]
    return graph(
        position,
        title="Rotation backlog",
        description="Keys past the policy `max_age` now, or in the given number of days if nobody"
        " replaces them, for the selected organizations and owner kinds. Exempt keys are not"
        " counted. The distance between the lines is the upcoming work. Organizations with stale"
        " data are missing, so check that Organizations failing is 0 before you take a drop for"
        " progress. List the keys that are past it now with `confluent-api-keys-exporter report"
        " --policy=max_age`.",
        unit=COUNT,
        no_value="not evaluated",
        decimals=0,
        queries=[
            Query(f"sum({_remaining(bound)})", name, color)
            for bound, name, color in zip(_AHEAD, names, _SOONER, strict=True)
        ],
        reach=1,
    )


def _remaining(bound: float) -> str:
    """Return the keys of each organization that have at most ``bound`` seconds left.

    0 if the policy is on but no key is evaluated.
    """
    keys = gauge(catalogue.MAX_AGE_REMAINING, bucket(bound), suffix="_bucket")
    listed = by(ORGANIZATION, gauge(catalogue.ORGANIZATION_API_KEYS))
    return f"{by(ORGANIZATION, keys, 'sum')} or 0 * ({listed} and on (organization) {_LIMIT})"


def _expiries(position: Position) -> AnyPanel:
    left = by(OWNER_ROW, f"{gauge(catalogue.NEXT_EXPIRY)} - time()")
    soonest = f"bottomk({MOST}, {left})"
    # Findings account for exemptions. Confluent's own keys are not evaluated.
    policy = 'policy="expires_within"'
    found = f"{by(OWNER_ROW, gauge(catalogue.VIOLATIONS, policy))} > bool 0"
    evaluated = by(OWNER_ROW, gauge(catalogue.NEXT_EXPIRY, 'owner_kind!="internal"'))
    none = f"0 * ({evaluated} and on (organization) {all_findings(policy)})"
    return grid(
        position,
        title="Upcoming expiries",
        description="Owners with expiring keys in the selected organizations and owner kinds,"
        f" soonest first, at most {MOST}. `Policy` shows whether the organization's policy"
        " `expires_within` applies to a key of the owner that is not exempt. List the keys with"
        " `confluent-api-keys-exporter report --policy=expires_within`.",
        unit=DAYS,
        no_value="no expiry known",
        decimals=1,
        queries={
            "A": f"{owner_named(soonest, catalogue.NEXT_EXPIRY)} / {_DAY}",
            "B": in_every_row(f"{found} or {none}", soonest, OWNER_ROW),
        },
        columns=[
            *OWNER_ROW_COLUMNS,
            Column("Value #A", "Time left", 100),
            Column(
                "Value #B",
                "Policy",
                110,
                unit="none",
                decimals=0,
                steps=((1, WARNING),),
                words={"0": "no finding", "1": "expires soon", str(UNKNOWN): "not evaluated"},
            ),
        ],
        sort="Time left",
        descending=False,
    )


def _backlog_by_organization(position: Position) -> AnyPanel:
    return grid(
        position,
        title="Rotation backlog by organization",
        description="The policy `max_age` of each selected organization, and the number of keys"
        " of the selected owner kinds that are past it now, or will be in 30 days if nobody"
        " replaces them. Organizations without the policy are not listed.",
        unit=COUNT,
        no_value="not evaluated",
        queries={
            "A": f"{by(ORGANIZATION, _LIMIT)} / {_DAY}",
            "B": _remaining(0),
            "C": _remaining(_AHEAD[-1]),
        },
        columns=[
            ORGANIZATION_COLUMN,
            Column("Value #A", "max_age", 100, unit=DAYS, decimals=0),
            Column(
                "Value #B",
                "Now",
                90,
                unit=COUNT,
                no_value="not reported",
                steps=((0, GOOD), (1, BAD)),
            ),
            Column("Value #C", "In 30 d", 90, unit=COUNT, no_value="not reported"),
        ],
        sort="Now",
    )
