"""How old the keys are, which must be replaced, and which expire."""

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
    Query,
    Spot,
    Text,
    bars,
    dashed,
    graph,
)
from monitoring.dashboards.queries import (
    ORGANIZATION,
    OWNER_ROW,
    UNKNOWN,
    by,
    gauge,
    in_every_row,
    judged,
    or_none,
    owner_named,
    up_to,
)
from monitoring.dashboards.tables import (
    KIND_COLUMN,
    MOST,
    ORGANIZATION_COLUMN,
    OWNER_ID_COLUMN,
    Column,
    colored,
    grid,
    mapped,
    unit,
)

if TYPE_CHECKING:
    from monitoring.dashboards.panels import AnyPanel

_DAY = 86_400
_AHEAD = REMAINING_BOUNDS[:4]
_SOONER = (BAD, "yellow", NEUTRAL, "purple")
"""The colours of these bounds."""
_LIMIT = gauge(catalogue.THRESHOLD, 'policy="max_age"')


def panels() -> list[AnyPanel]:
    """Return the row."""
    return [
        _distribution(Spot(301, x=0, y=0, w=8, h=9)),
        _median(Spot(302, x=8, y=0, w=8, h=9)),
        _backlog(Spot(303, x=16, y=0, w=8, h=9)),
        _expiries(Spot(304, x=0, y=9, w=14, h=10)),
        _backlog_by_organization(Spot(306, x=14, y=9, w=10, h=10)),
    ]


def _distribution(spot: Spot) -> AnyPanel:
    return bars(
        spot,
        Text(
            title="Age distribution",
            about="Keys by age, for the selected organizations and owner kinds. Each key is in one"
            " bar; keys without a plausible creation time are in none."
            " `confluent-api-keys-exporter report --min-age=365d` lists keys that are a year"
            " old or older.",
            unit=COUNT,
            none="not reported",
        ),
        list(_bands()),
        steps=((0, NEUTRAL),),
    )


def _bands() -> list[Query]:
    """Return the keys between each two bounds of the histogram, below the first, and beyond."""
    upper = [
        f"sum({gauge(catalogue.API_KEY_AGES, up_to(each), suffix='_bucket')})"
        for each in AGE_BOUNDS
    ]
    days = [f"{each / _DAY:.0f}" for each in AGE_BOUNDS]
    between = [or_none(f"{above} - {below}") for below, above in pairwise(upper)]
    names = [f"{below} to {above} d" for below, above in pairwise(days)]
    beyond = or_none(f"sum({gauge(catalogue.API_KEY_AGES, suffix='_gcount')}) - {upper[-1]}")
    return [
        Query(or_none(upper[0]), f"up to {days[0]} d"),
        *(Query(band, name) for band, name in zip(between, names, strict=True)),
        Query(beyond, f"over {days[-1]} d"),
    ]


def _median(spot: Spot) -> AnyPanel:
    buckets = by(("owner_kind", "le"), gauge(catalogue.API_KEY_AGES, suffix="_bucket"), "sum")
    panel = graph(
        spot,
        Text(
            title="Median age",
            about="Half of the keys of each owner kind are older than this, for the selected"
            " organizations and owner kinds. Estimated from the bands in Age distribution, so at"
            f" most {AGE_BOUNDS[-1] / _DAY:.0f} days. With timely rotation it stays near or below"
            " half of the policy `max_age`. The dashed line is the strictest `max_age`.",
            unit=DAYS,
            none="not reported",
            decimals=0,
        ),
        [
            Query(f"histogram_quantile(0.5, {buckets}) / {_DAY}", "{{owner_kind}}"),
            Query(f"min({_LIMIT}) / {_DAY}", "max_age", BAD),
        ],
        reach=1,
    )
    return dashed(panel, "B")


def _backlog(spot: Spot) -> AnyPanel:
    names = ["now", *(f"in {bound / _DAY:.0f} d" for bound in _AHEAD[1:])]
    return graph(
        spot,
        Text(
            title="Rotation backlog",
            about="Keys past the policy `max_age` now, or in the given number of days if nobody"
            " replaces them, for the selected organizations and owner kinds. Exempt keys are"
            " left out. The distance between the lines is the work ahead. While Organizations"
            " failing is not 0, organizations with outdated data are missing, so a fall may"
            " not be progress. `confluent-api-keys-exporter report --policy=max_age` lists"
            " the keys that are past it now.",
            unit=COUNT,
            none="not judged",
            decimals=0,
        ),
        [
            Query(f"sum({_remaining(bound)})", name, color)
            for bound, name, color in zip(_AHEAD, names, _SOONER, strict=True)
        ],
        reach=1,
    )


def _remaining(bound: float) -> str:
    """Return the keys of each organization that have at most ``bound`` seconds left.

    0 where the policy is on and there is no key to judge.
    """
    keys = gauge(catalogue.MAX_AGE_REMAINING, up_to(bound), suffix="_bucket")
    listed = by(ORGANIZATION, gauge(catalogue.ORGANIZATION_API_KEYS))
    return f"{by(ORGANIZATION, keys, 'sum')} or 0 * ({listed} and on (organization) {_LIMIT})"


def _expiries(spot: Spot) -> AnyPanel:
    left = by(OWNER_ROW, f"{gauge(catalogue.NEXT_EXPIRY)} - time()")
    soonest = f"bottomk({MOST}, {left})"
    # By what was found, which knows the exemptions. The provider's own keys are not judged.
    policy = 'policy="expires_within"'
    found = f"{by(OWNER_ROW, gauge(catalogue.VIOLATIONS, policy))} > bool 0"
    mine = by(OWNER_ROW, gauge(catalogue.NEXT_EXPIRY, 'owner_kind!="internal"'))
    none = f"0 * ({mine} and on (organization) {judged(policy)})"
    return grid(
        spot,
        Text(
            title="Expiries ahead",
            about=f"Owners with expiring keys, the soonest first, at most {MOST}, of the selected"
            " organizations and owner kinds. `Policy` tells whether the organization's policy"
            " `expires_within` finds a key of the owner that is not exempt."
            " `confluent-api-keys-exporter report --policy=expires_within` lists the keys.",
            unit=DAYS,
            none="no expiry known",
            decimals=1,
        ),
        {
            "A": f"{owner_named(soonest, catalogue.NEXT_EXPIRY)} / {_DAY}",
            "B": in_every_row(f"{found} or {none}", soonest, OWNER_ROW),
        },
        [
            ORGANIZATION_COLUMN,
            Column("owner_name", "Owner"),
            OWNER_ID_COLUMN,
            KIND_COLUMN,
            Column("Value #A", "Time left", 100),
            Column(
                "Value #B",
                "Policy",
                110,
                (
                    *unit("none", 0),
                    *colored(((1, WARNING),)),
                    mapped({"0": "no finding", "1": "replace it", str(UNKNOWN): "not judged"}),
                ),
            ),
        ],
        sort="Time left",
        descending=False,
    )


def _backlog_by_organization(spot: Spot) -> AnyPanel:
    return grid(
        spot,
        Text(
            title="Rotation backlog by organization",
            about="The policy `max_age` of each selected organization, and how many keys of the"
            " selected owner kinds are past it now, or will be in 30 days if nobody replaces"
            " them. Organizations without the policy are not listed.",
            unit=COUNT,
            none="not judged",
        ),
        {
            "A": f"{by(ORGANIZATION, _LIMIT)} / {_DAY}",
            "B": _remaining(0),
            "C": _remaining(_AHEAD[-1]),
        },
        [
            ORGANIZATION_COLUMN,
            Column("Value #A", "max_age", 100, unit(DAYS, 0)),
            Column(
                "Value #B",
                "Now",
                90,
                (*unit(COUNT, none="not reported"), *colored(((0, GOOD), (1, BAD)))),
            ),
            Column("Value #C", "In 30 d", 90, unit(COUNT, none="not reported")),
        ],
        sort="Now",
    )
