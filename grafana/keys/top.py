"""The top of the keys' dashboard: what is wrong, at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from exporter.inventory import POLICIES
from grafana.alerts import firing
from grafana.board import HEALTH, panel_link
from grafana.keys.policies import TITLES
from grafana.keys.quotas import STEPS, share
from grafana.panels import (
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
    number,
)
from grafana.queries import RANGE, findings, gauge, once, or_none, selector
from grafana.shared import data_age, organizations_failing

if TYPE_CHECKING:
    from grafana.panels import AnyPanel
    from grafana.sdk import stat


def panels() -> list[AnyPanel]:
    """Return two lines of four numbers, the findings beside them, and below them the alerts.

    The first two say whether the others can be believed.
    """
    why = panel_link("Why? API and exporter health", HEALTH)
    return [
        organizations_failing(
            Spot(7, x=0, y=0, w=4, h=4),
            collector="api_keys",
            about="Organizations whose latest listing of the keys failed, on one replica at least."
            " Until `stale_after` their numbers are those of the latest listing that succeeded;"
            " then they are gone, and sums are less by them, which is no success. The health"
            " dashboard names the organizations and the reasons.",
        ).links([why]),
        data_age(Spot(6, x=4, y=0, w=4, h=4)).links([why]),
        _keys(Spot(1, x=8, y=0, w=4, h=4)),
        _owners(Spot(2, x=12, y=0, w=4, h=4)),
        _oldest(Spot(3, x=0, y=4, w=4, h=4)),
        _next_expiry(Spot(4, x=4, y=4, w=4, h=4)),
        _nearest_quota(Spot(5, x=8, y=4, w=4, h=4)),
        _change(Spot(8, x=12, y=4, w=4, h=4)),
        _findings(Spot(9, x=16, y=0, w=8, h=8)),
        firing(Spot(10, x=0, y=8, w=24, h=6)),
    ]


def _keys(spot: Spot) -> stat.Panel:
    return number(
        spot,
        Text(
            title="Keys",
            about="API keys of the chosen organizations, a key for several resources once. No"
            " other variable applies.",
            unit=COUNT,
            none="not reported",
        ),
        [Query(f"sum({gauge(catalogue.ORGANIZATION_API_KEYS)})")],
    )


def _owners(spot: Spot) -> stat.Panel:
    owners = gauge(catalogue.OWNER_API_KEYS, 'owner_kind!="internal"')
    return number(
        spot,
        Text(
            title="Owners",
            about="Service accounts and people who have API keys, of the chosen organizations and"
            " kinds of owners.",
            unit=COUNT,
            none="not reported",
        ),
        # The provider's own keys have none.
        [Query(or_none(f"count({owners})"))],
    )


def _judged(value: str, policy: str, color: str) -> list[Query]:
    """Return ``value`` in the colour of its case: findings, none, or judged by nobody.

    The findings rather than the policy's duration, because they know each organization's own
    duration and the exemptions.
    """
    found = findings(policy)
    return [
        Query(f"{value} and on () ({found} > 0)", color=color),
        Query(f"{value} and on () ({found} == 0)", color=GOOD),
        Query(f"{value} unless on () {found}", color=NEUTRAL),
    ]


def _oldest(spot: Spot) -> stat.Panel:
    return number(
        spot,
        Text(
            title="Oldest key",
            about="Age of the oldest key of the chosen organizations and kinds of owners. Red: keys"
            " are older than their organization's policy `max_age` allows and not exempted. Blue:"
            " that policy is off. `confluent-api-keys-exporter report --policy=max_age` names"
            " them; replace and delete them.",
            unit=DAYS,
            none="none known",
            decimals=0,
        ),
        _judged(f"max(time() - {gauge(catalogue.OLDEST)}) / 86400", "max_age", BAD),
    )


def _next_expiry(spot: Spot) -> stat.Panel:
    left = f"clamp_min(min({gauge(catalogue.NEXT_EXPIRY)} - time()), 0) / 86400"
    return number(
        spot,
        Text(
            title="Next expiry",
            about="Time until the next key of the chosen organizations and kinds of owners expires."
            " Orange: keys expire within the time of their organization's policy `expires_within`."
            " Blue: that policy is off. `confluent-api-keys-exporter report"
            " --policy=expires_within` names them; hand out new keys in time.",
            unit=DAYS,
            none="no expiry known",
            decimals=1,
        ),
        _judged(left, "expires_within", WARNING),
    )


def _nearest_quota(spot: Spot) -> stat.Panel:
    return number(
        spot,
        Text(
            title="Nearest quota",
            about="The fullest quota of the chosen organizations, as a share of its limit. Orange"
            " from 80 %, red from 95 %: soon no more keys can be created. Delete keys or ask"
            " Confluent for a higher limit; the row Quotas says which quota it is.",
            unit="percentunit",
            none="not reported",
            decimals=0,
        ),
        [Query(f"max({share()})")],
        steps=STEPS,
    )


def _change(spot: Spot) -> stat.Panel:
    before = once(f"{selector(catalogue.ORGANIZATION_API_KEYS)} offset {RANGE}")
    return number(
        spot,
        Text(
            title="Change",
            about="Keys now minus keys at the beginning of the time range, of the chosen"
            " organizations, without those that were not watched then. No other variable applies.",
            unit=COUNT,
            none="not watched then",
        ),
        [Query(f"sum({gauge(catalogue.ORGANIZATION_API_KEYS)} - {before})")],
    )


def _findings(spot: Spot) -> AnyPanel:
    return bars(
        spot,
        Text(
            title="Findings by policy",
            about="Keys that break each policy and are not exempted, of the chosen organizations"
            " and kinds of owners. A policy that is off everywhere, or cannot be judged, has no"
            " bar. Fewer are no success while Organizations failing is not 0: those whose data is"
            " too old are missing. `confluent-api-keys-exporter report --policy=max_age`, or"
            " another policy, names the keys.",
            unit=COUNT,
            none="not judged",
        ),
        [Query(findings(policy), TITLES[policy]) for policy in POLICIES],
        steps=((0, GOOD), (1, WARNING)),
    )
