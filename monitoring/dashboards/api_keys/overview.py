"""The top of the keys' dashboard: what is wrong, at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from exporter.inventory import POLICIES
from monitoring.dashboards.alerts import firing
from monitoring.dashboards.api_keys.policies import TITLES
from monitoring.dashboards.api_keys.quotas import STEPS, share
from monitoring.dashboards.board import HEALTH, panel_link
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
    number,
)
from monitoring.dashboards.queries import RANGE, findings, gauge, once, or_none, selector
from monitoring.dashboards.shared import data_age, organizations_failing

if TYPE_CHECKING:
    from monitoring.dashboards.panels import AnyPanel
    from monitoring.dashboards.sdk import stat


def panels() -> list[AnyPanel]:
    """Return two lines of four numbers, the findings beside them, and below them the alerts.

    The first two say whether the others can be believed.
    """
    why = panel_link("Why? API and exporter health", HEALTH)
    return [
        organizations_failing(
            Spot(7, x=0, y=0, w=4, h=4),
            collector="api_keys",
            about="Organizations whose latest key listing failed on at least one replica. Until"
            " `stale_after` their numbers come from the latest successful listing. After that"
            " they disappear, and sums become too small. The health dashboard names the"
            " organizations and the reasons.",
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
            about="API keys of the selected organizations. A key for several resources counts"
            " once. No other variable applies.",
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
            about="Service accounts and users with API keys, of the selected organizations and"
            " owner kinds.",
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
            about="Age of the oldest key of the selected organizations and owner kinds. Red: some"
            " keys are older than their organization's policy `max_age` and not exempt. Blue:"
            " that policy is off. `confluent-api-keys-exporter report --policy=max_age` lists"
            " them; replace and delete them.",
            unit=DAYS,
            none="none known",
            decimals=0,
        ),
        _judged(f"max(time() - {gauge(catalogue.OLDEST_API_KEY)}) / 86400", "max_age", BAD),
    )


def _next_expiry(spot: Spot) -> stat.Panel:
    left = f"clamp_min(min({gauge(catalogue.NEXT_EXPIRY)} - time()), 0) / 86400"
    return number(
        spot,
        Text(
            title="Next expiry",
            about="Time until the next key of the selected organizations and owner kinds expires."
            " Orange: some keys expire within their organization's policy `expires_within`."
            " Blue: that policy is off. `confluent-api-keys-exporter report"
            " --policy=expires_within` lists them; replace them in time.",
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
            about="The fullest quota of the selected organizations, as a share of its limit."
            " Orange from 80 %, red from 95 %: soon no more keys can be created. Delete keys"
            " or ask Confluent for a higher limit. The row Quotas names the quota.",
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
            about="Keys now minus keys at the start of the time range, for the selected"
            " organizations. Organizations that were not monitored then are left out. No"
            " other variable applies.",
            unit=COUNT,
            none="not monitored then",
        ),
        [Query(f"sum({gauge(catalogue.ORGANIZATION_API_KEYS)} - {before})")],
    )


def _findings(spot: Spot) -> AnyPanel:
    return bars(
        spot,
        Text(
            title="Findings by policy",
            about="Keys that violate each policy and are not exempt, for the selected"
            " organizations and owner kinds. A policy that is off everywhere or cannot be"
            " evaluated has no bar. While Organizations failing is not 0, organizations with"
            " outdated data are missing from these counts. `confluent-api-keys-exporter"
            " report --policy=max_age`, or another policy, lists the keys.",
            unit=COUNT,
            none="not judged",
        ),
        [Query(findings(policy), TITLES[policy]) for policy in POLICIES],
        steps=((0, GOOD), (1, WARNING)),
    )
